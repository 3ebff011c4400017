//! What `completions` and `man` are asked.

use std::path::PathBuf;

use clap_complete::Shell;

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  redfence completions bash >~/.local/share/bash-completion/completions/redfence
  redfence completions zsh >~/.zfunc/_redfence
  redfence completions fish >~/.config/fish/completions/redfence.fish";

/// Print the completions of commands and flags for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

const MAN_EXAMPLES: &str = "\
Examples:
  redfence man ~/.local/share/man/man1
      Then `man redfence` and `man redfence-run` show them.";

/// Write the manual pages, one for each command, into a directory
#[derive(Debug, clap::Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct ManArgs {
    /// The directory, which is made if it is not there
    pub(crate) directory: PathBuf,
}
