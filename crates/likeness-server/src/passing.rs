//! Open files, handed from one process to another on the same machine.

use rustix::io::retry_on_intr;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most files in one message.
const MAX_FILES: usize = 4;

/// Sends a message that is not empty, with at most [`MAX_FILES`] files.
pub(crate) fn send(socket: impl AsFd, message: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let fit = files.len() <= MAX_FILES && rights.push(SendAncillaryMessage::ScmRights(files));
    if !fit {
        return Err(io::Error::other("too many files for one message"));
    }
    let parts = [IoSlice::new(message)];
    retry_on_intr(|| sendmsg(&socket, &parts, &mut rights, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Receives a message into `message`, and its files. Its length is 0 when the other side has gone.
pub(crate) fn receive(socket: impl AsFd, message: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(message)];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = retry_on_intr(|| recvmsg(&socket, &mut parts, &mut rights, flags))?;
    let files = rights.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => files.collect(),
        _ => Vec::new(),
    });
    Ok((received.bytes, files.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn files_arrive_open() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        file.rewind().unwrap();
        send(&here, b"hello", &[file.as_fd(), file.as_fd()]).unwrap();
        drop((file, here));
        let mut message = [0; 16];
        let (length, files) = receive(&there, &mut message).unwrap();
        assert_eq!((&message[..length], files.len()), (&b"hello"[..], 2));
        let mut content = String::new();
        let mut file = File::from(files.into_iter().next().unwrap());
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, "content");
        let (length, files) = receive(&there, &mut message).unwrap();
        assert_eq!((length, files.len()), (0, 0), "gone");
    }

    #[test]
    fn too_many_files_are_refused() {
        let (here, _there) = UnixStream::pair().unwrap();
        assert!(send(&here, b"x", &[here.as_fd(); MAX_FILES + 1]).is_err());
    }
}
