//! What a machine may lack: file descriptors, threads, processes. A library would panic; this program says which.

use std::io;
use std::os::fd::AsFd as _;

use rustix::io::Errno;

/// What the runtime and one connection need at the least.
const FILES_MIN: usize = 10;

/// Fails where the runtime could not begin, with a reason that names the limit.
pub(crate) fn check() -> Result<(), String> {
    let stderr = io::stderr();
    let files: Result<Vec<_>, _> = (0..FILES_MIN).map(|_| stderr.as_fd().try_clone_to_owned()).collect();
    let files = files.map_err(|error| format!("{FILES_MIN} more files have to be opened: {}", explained(&error)))?;
    drop(files);
    // Names of nodes are looked up on threads.
    let thread = std::thread::Builder::new().spawn(|| {});
    let thread = thread.map_err(|error| format!("a thread cannot be started: {}", explained(&error)))?;
    // It has nothing to do, so it cannot fail.
    let _ = thread.join();
    Ok(())
}

/// The system's words, and the limit that is behind them.
pub(crate) fn explained(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => format!("{error}; raise the limit of open files, see `ulimit -n`"),
        Some(Errno::NFILE) => format!("{error}; the machine's table of files is full, see fs.file-max"),
        Some(Errno::AGAIN) => {
            format!("{error}; raise the limit of processes, see `ulimit -u` and pids.max of the cgroup")
        }
        _ => error.to_string(),
    }
}
