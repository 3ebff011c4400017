//! A fence in a file.

use std::os::fd::AsFd as _;
use std::path::Path;

use redfence_file::{FileError, FileFence};

use super::refusal::Refusal;
use super::term::FenceLock;
use crate::args::AdmitArgs;

/// Admits, and holds the fence for a command.
pub(super) async fn admit(path: &Path, args: &AdmitArgs, with_command: bool) -> Result<Option<FenceLock>, Refusal> {
    let fence = FileFence::at(path).wait(args.wait);
    let (resource, token) = (args.resource.clone(), args.token);
    let asked = tokio::task::spawn_blocking(move || fence.admit(&resource, token)).await;
    let admitted = match asked {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(FileError::Stale(stale))) => return Err(Refusal::Stale(stale.highest)),
        Ok(Err(error @ FileError::Busy { .. })) => return Err(Refusal::Busy(error.to_string())),
        Ok(Err(error)) => return Err(Refusal::NoVerdict(error.to_string())),
        Err(error) => return Err(Refusal::NoVerdict(error.to_string())),
    };
    if !with_command {
        return Ok(None);
    }
    // The command has the lock, too: should this program be killed, the lock ends with the last process of the command.
    rustix::io::fcntl_setfd(admitted.as_fd(), rustix::io::FdFlags::empty())
        .map_err(|error| Refusal::NoVerdict(format!("the lock cannot be passed on: {error}")))?;
    Ok(Some(FenceLock::File(admitted)))
}
