//! `redfence completions`: prints the completions of commands and flags for a shell.

use std::io::Write as _;

use clap::CommandFactory as _;

use crate::args::{Args, CompletionsArgs};
use crate::exit::Exit;

/// Prints the script for the shell.
pub(crate) fn print(args: &CompletionsArgs) -> Exit {
    // In memory first: the generator panics if its output fails.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "redfence", &mut script);
    // If no one reads the result, that is not an error.
    let _ = std::io::stdout().write_all(&script);
    Exit::Done
}
