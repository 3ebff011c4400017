//! `redfence man`: writes the manual pages.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use serde::Serialize;

use crate::args::{Args, ManArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Written<'a> {
    directory: &'a Path,
    pages: Vec<String>,
}

/// Writes one page for the program, and one for each command.
pub(crate) fn write(args: &ManArgs, output: Output) -> Result<Exit, Failure> {
    let directory = &args.directory;
    let pages = pages(directory).map_err(|error| {
        let message = format!("the manual pages cannot be written to {}: {error}", directory.display());
        Failure::new(Exit::Failed, message)
    })?;
    let human = format!("{} pages in {}", pages.len(), directory.display());
    // The pages are there, even if no one reads the result.
    let _ = output.result(&human, &Written { directory, pages });
    Ok(Exit::Done)
}

fn pages(directory: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(directory)?;
    let program = Args::command().disable_help_subcommand(true);
    let commands = program.get_subcommands().map(|one| format!("redfence-{}.1", one.get_name()));
    let pages = std::iter::once("redfence.1".to_owned()).chain(commands).collect();
    clap_mangen::generate_to(program, directory)?;
    Ok(pages)
}
