//! How the monitor gets its socket and the standard input of the command.
//!
//! Without unsafe code, a process can start another one with three open files only. So the monitor's standard input
//! is the socket, and the command's standard input is sent over it.

use std::io::{self, IoSlice, IoSliceMut, stdin};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// Sends this process's standard input to the monitor.
pub(crate) fn give_stdin(socket: &UnixStream) -> io::Result<()> {
    let stdin = stdin();
    let files = [stdin.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    Ok(())
}

/// The socket that leads to `run`.
pub(super) fn socket() -> io::Result<UnixStream> {
    Ok(UnixStream::from(stdin().as_fd().try_clone_to_owned()?))
}

/// Receives the standard input that `run` sent; `None` if `run` is gone already.
pub(super) fn take_stdin(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::empty())?;
    let files = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    if received.bytes == 0 {
        return Ok(None);
    }
    // The system leaves the file out if this process may not open more files.
    let file = files.ok_or_else(|| io::Error::from(rustix::io::Errno::MFILE))?;
    // The command gets it as its standard input, and must not inherit it a second time.
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::CLOEXEC)?;
    Ok(Some(file))
}

/// The path of the running program, even if the file was replaced since. Without /proc, the path that started it.
pub(crate) fn this_program() -> io::Result<PathBuf> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt as _;
        const LINK: &str = "/proc/self/exe";
        let path = std::ffi::OsStr::from_bytes(rustix::param::linux_execfn().to_bytes());
        if std::fs::symlink_metadata(LINK).is_ok() {
            return Ok(LINK.into());
        }
        if std::path::Path::new(path).is_file() {
            return Ok(path.into());
        }
        let reason = "redfence cannot find its own program: /proc is not mounted here, and it was not started by a path \
             that still leads to it; mount /proc, or start it as /path/to/redfence";
        Err(io::Error::new(io::ErrorKind::NotFound, reason))
    }
    #[cfg(not(target_os = "linux"))]
    std::env::current_exe()
}
