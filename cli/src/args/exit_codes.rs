//! The exit codes, as the help shows them.

/// For commands with codes of `run`. The last paragraph is one line, which clap wraps.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0   done                     71  what the command started cannot be stopped
  1   failed; of `who`: free;  74  the lease is lost
      of `release`: not held;
      of `admit`: stale
  2   usage or configuration   75  held by another until the wait ended
  69  no quorum; of `admit`: no verdict

  `run` ends with the code of its command; 128+n if signal n ended it, 127 if there is no such command, 126 if it \
  cannot be run. Its options -E and --error-exit-code choose other codes for 75, and for 1, 2, 69, 71 and 74, so that \
  they differ from the codes of the command.";
