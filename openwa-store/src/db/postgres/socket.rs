//! The socket of a connection. Whoever waits for an answer waits at the socket itself: no runtime watches it, and no other
//! thread has to be woken to hear of an answer.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::TcpKeepalive;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::fork::Private;

/// How a silent peer is noticed: after this long without a word the system asks, every ten seconds, three times.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A peer that is gone is an error, and no signal to the host's process.
#[cfg(not(any(windows, target_vendor = "apple")))]
const QUIETLY: SendFlags = SendFlags::NOSIGNAL;
/// There is no such signal, or the standard library sees to that where it makes the socket.
#[cfg(any(windows, target_vendor = "apple"))]
const QUIETLY: SendFlags = SendFlags::empty();

/// Used by one thread at a time.
pub(super) struct Socket {
    socket: Private<socket2::Socket>,
    /// The system took no more of what was to be sent.
    full: AtomicBool,
    /// A future that is waited for may go on.
    woken: AtomicBool,
}

impl Socket {
    /// Connects to a host, or to the socket in a folder.
    pub(super) fn connect(host: &str, port: u16, deadline: Instant) -> io::Result<Arc<Self>> {
        let socket: socket2::Socket = match host {
            #[cfg(unix)]
            folder if folder.starts_with('/') => {
                UnixStream::connect(format!("{folder}/.s.PGSQL.{port}"))?.into()
            }
            host => {
                let stream = reach(host, port, deadline)?;
                stream.set_nodelay(true)?;
                let socket = stream.into();
                stay_alert(&socket)?;
                socket
            }
        };
        socket.set_nonblocking(true)?;
        Ok(Arc::new(Socket {
            socket: Private::new(socket),
            full: AtomicBool::new(false),
            woken: AtomicBool::new(false),
        }))
    }

    /// The stream of bytes, for whoever speaks over it.
    pub(super) fn bytes(self: &Arc<Self>) -> Bytes {
        Bytes(Arc::clone(self))
    }

    /// Runs a future that waits for nothing but this socket. `None`: the deadline came first.
    pub(super) fn run<F: Future>(
        self: &Arc<Self>,
        future: F,
        deadline: Option<Instant>,
    ) -> Option<F::Output> {
        let waker = Waker::from(Arc::clone(self));
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(out) = future.as_mut().poll(&mut cx) {
                return Some(out);
            }
            if !self.woken.swap(false, Ordering::Acquire) && !self.wait(deadline) {
                return None;
            }
        }
    }

    /// Waits until there is something to read, or room for what is to be sent. False: the deadline came first.
    fn wait(&self, deadline: Option<Instant>) -> bool {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return false;
        }
        // A time that is too long for the system is as good as none.
        let left = left.and_then(|left| left.try_into().ok());
        let room = if self.full.swap(false, Ordering::Relaxed) { PollFlags::OUT } else { PollFlags::empty() };
        match poll(&mut [PollFd::new(&*self.socket, PollFlags::IN | room)], left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            // The system is short of something; the socket itself tells what is wrong with it.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
        true
    }
}

/// What a read or write answers that may have to wait.
fn attempt<T>(mut attempt: impl FnMut() -> rustix::io::Result<T>) -> Poll<io::Result<T>> {
    loop {
        match attempt() {
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) => return Poll::Pending,
            done => return Poll::Ready(done.map_err(Into::into)),
        }
    }
}

impl Wake for Socket {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
    }
}

/// Tries the addresses of a host one after the other; none takes the time of those behind it.
fn reach(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
    let mut failed = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for (address, rest) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let left =
            deadline.saturating_duration_since(Instant::now()) / u32::try_from(rest).unwrap_or(u32::MAX);
        match TcpStream::connect_timeout(address, left.max(Duration::from_millis(1))) {
            Ok(stream) => return Ok(stream),
            Err(e) => failed = e,
        }
    }
    Err(failed)
}

fn stay_alert(socket: &socket2::Socket) -> io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(Duration::from_secs(10));
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(KEEPALIVE))?;
    Ok(())
}

/// The bytes of a socket, as the client library reads and writes them.
pub(super) struct Bytes(Arc<Socket>);

impl AsyncRead for Bytes {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = out.initialize_unfilled();
        let (read, _) = ready!(attempt(|| recv(&*self.0.socket, &mut *room, RecvFlags::empty())))?;
        out.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bytes {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = attempt(|| send(&*self.0.socket, bytes, QUIETLY));
        self.0.full.store(sent.is_pending(), Ordering::Relaxed);
        sent
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.socket.shutdown(Shutdown::Write))
    }
}
