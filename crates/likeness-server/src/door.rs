//! Where connections come in.
//!
//! The socket that listens outlives the process that made it: systemd hands it over, or the
//! process before ([`handover`](crate::handover)). Connections wait in it while one process ends
//! and another begins, so that none is turned away.

use crate::handover::{self, Serving};
use futures_util::Stream;
use futures_util::stream::unfold;
use listenfd::ListenFd;
use rustix::io::FdFlags;
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
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// How long a connection may take to send HTTP/2's preface, or as much of a TLS handshake.
const GREETING: Duration = Duration::from_secs(10);
/// Bytes of the preface.
const PREFACE: u64 = 24;
/// How long it may be silent later; live ones are asked for a sign of life more often.
const SILENCE: Duration = Duration::from_secs(120);
/// Pause after an error that is not one connection's, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// The socket that listens: the first one of systemd, the one of the process that listens at
/// `address` now, or a new one. The next process can have it until `closing`, if it is `serving` the same.
pub(crate) fn open(
    address: SocketAddr,
    serving: Serving,
    closing: &CancellationToken,
) -> io::Result<TcpListener> {
    if let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? {
        listener.set_nonblocking(true)?;
        // It comes open to whatever this process starts.
        rustix::io::fcntl_setfd(&listener, FdFlags::CLOEXEC)?;
        return TcpListener::from_std(listener);
    }
    if let Some(taken) = handover::take(address, serving, closing)? {
        return Ok(taken);
    }
    let listener = bind(address)?;
    if let Err(error) = handover::offer(&listener, serving, closing) {
        tracing::warn!("no process can take {address} over: {error}");
    }
    Ok(listener)
}

/// A socket that may be bound while another process of the same user has it, too.
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

/// Connections, at most `most` at a time, until `closing`.
pub(crate) fn connections(
    listener: TcpListener,
    most: usize,
    closing: CancellationToken,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(most));
    unfold(listener, move |listener| {
        let (places, closing) = (places.clone(), closing.clone());
        async move {
            let connection = tokio::select! {
                biased;
                () = closing.cancelled() => None,
                accepted = accept(&listener, places) => accepted,
            };
            Some((Ok(connection?), listener))
        }
    })
}

/// The next connection; `None` if there will be none.
async fn accept(listener: &TcpListener, places: Arc<Semaphore>) -> Option<Connection> {
    let place = places.acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some(Connection::new(stream, place)),
            Err(error) => {
                tracing::warn!("accepting a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A connection, and its place among those that are allowed. Whoever says nothing loses it.
pub(crate) struct Connection {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    silence: Pin<Box<Sleep>>,
    read: u64,
}

impl Connection {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Connection {
        // Small messages should not wait for larger ones; without it they are only slower.
        let _ = stream.set_nodelay(true);
        Connection {
            stream,
            _place: place,
            silence: Box::pin(sleep(GREETING)),
            read: 0,
        }
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
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_ready() {
            self.read += (buffer.filled().len() - before) as u64;
            // Part of a greeting does not win more time.
            if self.read >= PREFACE {
                self.silence.as_mut().reset(Instant::now() + SILENCE);
            }
            return polled;
        }
        match self.silence.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
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
