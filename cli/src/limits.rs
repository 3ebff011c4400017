//! Checks the limits of the machine: file descriptors, threads, processes. A library would panic; this program names
//! the limit.

use std::io;
use std::os::fd::AsFd as _;

use rustix::io::Errno;

/// The least number of files for the runtime and one connection.
const FILES_MIN: usize = 10;

/// Fails if the runtime could not start, with an error that names the limit.
pub(crate) fn check() -> Result<(), String> {
    let stderr = io::stderr();
    let files: Result<Vec<_>, _> = (0..FILES_MIN).map(|_| stderr.as_fd().try_clone_to_owned()).collect();
    let files = files.map_err(|error| format!("{FILES_MIN} more files have to be opened: {}", explained(&error)))?;
    drop(files);
    // The names of nodes are looked up on threads.
    let thread = std::thread::Builder::new().spawn(|| {});
    let thread = thread.map_err(|error| format!("a thread cannot be started: {}", explained(&error)))?;
    // The thread does nothing, so it cannot fail.
    let _ = thread.join();
    Ok(())
}

/// The error of the system, with the limit that causes it.
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
