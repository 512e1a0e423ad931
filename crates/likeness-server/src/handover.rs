//! The listening socket, handed from one process to the next.
//!
//! Two sockets that share a port have a queue each, and closing one loses whoever waits in it. So
//! the next process gets the socket itself, and no connection notices that another process takes
//! it. It asks at a Unix socket whose name holds the address, in the abstract namespace: like the
//! port, it belongs to the network namespace and is free when its last process ends. Only the
//! same user is answered, and only the same user is asked.

use crate::passing;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener as StdUnixListener, UnixStream};
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

/// How long the process before may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

fn name(address: SocketAddr) -> io::Result<UnixAddr> {
    UnixAddr::from_abstract_name(format!("likeness-serve/{address}"))
}

/// Tells which libraries a process serves: who serves others is no successor.
pub(crate) type Serving = [u8; 32];

/// The socket of the process that listens at `address` now, if there is one that hands it over.
/// It is offered on from here.
///
/// # Errors
/// `AddrInUse`: that process serves other libraries.
pub(crate) fn take(
    address: SocketAddr,
    serving: Serving,
    closing: &CancellationToken,
) -> io::Result<Option<TcpListener>> {
    let taken = ask(address, serving).and_then(|(listener, asked)| {
        let listener = TcpListener::from_std(listener)?;
        answer_at(asked, &listener, serving, closing)?;
        Ok(listener)
    });
    match taken {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(None),
        Err(error) => {
            tracing::warn!("taking {address} over: {error}");
            Ok(None)
        }
    }
}

fn ask(
    address: SocketAddr,
    serving: Serving,
) -> io::Result<(std::net::TcpListener, StdUnixListener)> {
    let stream = UnixStream::connect_addr(&name(address)?)?;
    if socket_peercred(&stream)?.uid != geteuid() {
        return Err(io::Error::other("another user offers it"));
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut theirs = Serving::default();
    let (length, files) = passing::receive(&stream, &mut theirs)?;
    // Versions before this one do not tell.
    if length == theirs.len() && theirs != serving {
        let message = "another service listens there, of other libraries";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
    }
    let [listener, asked] = <[OwnedFd; 2]>::try_from(files)
        .map_err(|_| io::Error::other("the process before does not answer"))?;
    let listener = std::net::TcpListener::from(listener);
    if listener.local_addr()? != address {
        return Err(io::Error::other("another address is offered"));
    }
    Ok((listener, asked.into()))
}

/// Lets the next process have `listener`, until `closing`.
pub(crate) fn offer(
    listener: &TcpListener,
    serving: Serving,
    closing: &CancellationToken,
) -> io::Result<()> {
    let asked = StdUnixListener::bind_addr(&name(listener.local_addr()?)?)?;
    asked.set_nonblocking(true)?;
    answer_at(asked, listener, serving, closing)
}

fn answer_at(
    asked: StdUnixListener,
    listener: &TcpListener,
    serving: Serving,
    closing: &CancellationToken,
) -> io::Result<()> {
    let asked = UnixListener::from_std(asked)?;
    let listener = listener.as_fd().try_clone_to_owned()?;
    tokio::spawn(answer(asked, listener, serving, closing.clone()));
    Ok(())
}

async fn answer(
    asked: UnixListener,
    listener: OwnedFd,
    serving: Serving,
    closing: CancellationToken,
) {
    loop {
        let asking = tokio::select! {
            () = closing.cancelled() => return,
            asking = asked.accept() => asking,
        };
        let handed = asking.and_then(|(stream, _)| {
            if stream.peer_cred()?.uid() != geteuid().as_raw() {
                return Err(io::Error::other("another user asks for it"));
            }
            passing::send(&stream, &serving, &[listener.as_fd(), asked.as_fd()])
        });
        match handed {
            Ok(()) => tracing::info!("the listening socket is handed over"),
            Err(error) => {
                tracing::warn!("handing the listening socket over: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    const SERVING: Serving = [7; 32];

    #[tokio::test]
    async fn a_socket_goes_from_hand_to_hand() {
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = first.local_addr().unwrap();
        let ended = [(); 3].map(|()| CancellationToken::new());
        let take = async |n: usize| {
            let closing = ended[n].clone();
            let taking = tokio::task::spawn_blocking(move || take(address, SERVING, &closing));
            taking.await.unwrap().unwrap()
        };
        assert!(take(1).await.is_none(), "nothing is offered");
        offer(&first, SERVING, &ended[0]).unwrap();
        let stranger = ended[2].clone();
        let stranger = move || super::take(address, [8; 32], &stranger);
        let refused = tokio::task::spawn_blocking(stranger).await.unwrap();
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let second = take(1).await.unwrap();
        // Whoever connects now is served by whoever is there later.
        let mut client = std::net::TcpStream::connect(address).unwrap();
        ended[0].cancel();
        drop(first);
        let third = take(2).await.unwrap();
        ended[1].cancel();
        drop(second);
        let (served, _) = third.accept().await.unwrap();
        let mut served = served.into_std().unwrap();
        served.set_nonblocking(false).unwrap();
        served.write_all(b"x").unwrap();
        let mut got = [0];
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"x");
    }
}
