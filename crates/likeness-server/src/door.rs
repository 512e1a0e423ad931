//! Where connections come in, and how the door is closed without turning anybody away.
//!
//! A socket that systemd hands over is shared with the next process: connections wait in it
//! meanwhile. A socket of one's own is bound with SO_REUSEPORT, so that the next process can
//! listen before this one stops; then connections that wait in this one's queue are taken in
//! before it closes. The kernel still drops a connection whose handshake is not done at that
//! moment, unless net.ipv4.tcp_migrate_req is set; its client has to connect again.

use futures_util::Stream;
use futures_util::stream::unfold;
use listenfd::ListenFd;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Pause after an error that is not one connection's, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// A socket that listens.
pub(crate) struct Door {
    listener: TcpListener,
    /// Handed over by systemd, and shared with whoever comes after.
    shared: bool,
}

impl Door {
    /// Takes over the first socket that systemd hands over, or binds one.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Door> {
        if let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            let shared = true;
            return Ok(Door { listener, shared });
        }
        Ok(Door {
            listener: bind(address)?,
            shared: false,
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Connections, at most `most` at a time, until `closing`.
    pub(crate) fn connections(
        self,
        most: usize,
        closing: CancellationToken,
    ) -> impl Stream<Item = io::Result<Connection>> {
        let places = Arc::new(Semaphore::new(most));
        let open = Accepting::Open(self);
        unfold(open, move |accepting| {
            next(accepting, places.clone(), closing.clone())
        })
    }
}

/// A socket that may be bound while another process has it, too.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

enum Accepting {
    Open(Door),
    /// Only those who wait already.
    Closing(std::net::TcpListener),
}

async fn next(
    mut accepting: Accepting,
    places: Arc<Semaphore>,
    closing: CancellationToken,
) -> Option<(io::Result<Connection>, Accepting)> {
    loop {
        match accepting {
            Accepting::Open(door) => {
                let accepted = tokio::select! {
                    biased;
                    () = closing.cancelled() => None,
                    accepted = accept(&door.listener, &places) => accepted,
                };
                if let Some(connection) = accepted {
                    return Some((Ok(connection), Accepting::Open(door)));
                }
                if door.shared {
                    return None;
                }
                accepting = Accepting::Closing(last(door.listener).ok()?);
            }
            Accepting::Closing(listener) => {
                // An error ends it, most of all that nobody waits.
                let (stream, _) = listener.accept().ok()?;
                let connection = Connection::of_last(stream, &places);
                return Some((connection, Accepting::Closing(listener)));
            }
        }
    }
}

/// The next connection; `None` if there will be none.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Connection> {
    let place = places.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let place = Some(place);
                return Some(Connection::new(stream, place));
            }
            Err(error) => {
                tracing::warn!("accepting a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Lets no more than one more connection queue up, and takes the socket out of the reactor, whose
/// idea of who waits may be old.
fn last(listener: TcpListener) -> io::Result<std::net::TcpListener> {
    let listener = listener.into_std()?;
    rustix::net::listen(&listener, 0)?;
    Ok(listener)
}

/// A connection, and its place among those that are allowed.
pub(crate) struct Connection {
    stream: TcpStream,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn new(stream: TcpStream, place: Option<OwnedSemaphorePermit>) -> Connection {
        // Small messages should not wait for larger ones; without it they are only slower.
        let _ = stream.set_nodelay(true);
        Connection {
            stream,
            _place: place,
        }
    }

    fn of_last(stream: std::net::TcpStream, places: &Arc<Semaphore>) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        let place = places.clone().try_acquire_owned().ok();
        Ok(Connection::new(TcpStream::from_std(stream)?, place))
    }
}

impl Connected for Connection {
    type ConnectInfo = <TcpStream as Connected>::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
