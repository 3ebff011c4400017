//! Explains why a program cannot be run, and names what is missing.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::exit::Exit;
use crate::limits;

/// The exit code that shells use for it, and the message.
pub(crate) fn cannot_run(command: &OsStr, error: &io::Error) -> (Exit, String) {
    let file = found(command);
    let (exit, reason) = match (Errno::from_io_error(error), &file) {
        (Some(Errno::NOENT), Some(file)) => (Exit::NotExecutable, no_interpreter(file)),
        (Some(Errno::NOENT), None) => (Exit::NotFound, "no such command".to_owned()),
        (Some(Errno::ACCESS | Errno::PERM), _) => (Exit::NotExecutable, "it may not be executed".to_owned()),
        (Some(Errno::NOEXEC), _) => {
            let reason = "it is neither a program of this machine nor a script with a first line such as #!/bin/sh";
            (Exit::NotExecutable, reason.to_owned())
        }
        _ => (Exit::NotExecutable, limits::explained(error)),
    };
    (exit, format!("{} cannot be run: {reason}", command.display()))
}

/// Why a file that exists is reported as missing: its interpreter is missing.
fn no_interpreter(file: &Path) -> String {
    match interpreter(file) {
        Some(line) => format!("its first line asks for {line:?}, and there is no such program"),
        None => "the dynamic loader that it was linked for is not installed here".to_owned(),
    }
}

/// The text after `#!`. Systems read only the first bytes of a file.
fn interpreter(file: &Path) -> Option<String> {
    const LINE_MAX: u64 = 256;
    let mut line = Vec::new();
    BufReader::new(std::fs::File::open(file).ok()?.take(LINE_MAX)).read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8_lossy(line.strip_prefix(b"#!")?).into_owned();
    Some(line.trim_matches([' ', '\t', '\n']).to_owned())
}

/// The file that the name of a command stands for, looked up in PATH as the system does.
fn found(command: &OsStr) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    if command.as_bytes().contains(&b'/') {
        return Path::new(command).exists().then(|| command.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(command)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        std::fs::write(&script, "#! /no/such/sh -e\r\necho\n").unwrap();
        let binary = dir.path().join("binary");
        std::fs::write(&binary, "\u{7f}ELF").unwrap();
        let missing = dir.path().join("missing");
        for (file, error, exit, said) in [
            (&script, Errno::NOENT, Exit::NotExecutable, "asks for \"/no/such/sh -e\\r\""),
            (&binary, Errno::NOENT, Exit::NotExecutable, "dynamic loader"),
            (&missing, Errno::NOENT, Exit::NotFound, "no such command"),
            (&binary, Errno::NOEXEC, Exit::NotExecutable, "#!/bin/sh"),
            (&binary, Errno::ACCESS, Exit::NotExecutable, "may not be executed"),
            (&binary, Errno::MFILE, Exit::NotExecutable, "ulimit -n"),
        ] {
            let (got, message) = cannot_run(file.as_os_str(), &error.into());
            assert!(got == exit && message.contains(said), "{error:?}: {message}");
        }
    }
}
