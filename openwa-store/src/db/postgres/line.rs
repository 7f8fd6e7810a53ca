//! A client of the server, and what carries its requests there and the answers back.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use tokio_postgres::tls::{TlsConnect, TlsStream};
use tokio_postgres::{Client, Config};

use super::socket::{Bytes, Socket};

/// Nothing moves on it unless somebody waits.
pub(crate) struct Line {
    pub(crate) client: Client,
    /// `None`: the connection has ended.
    carrier: RefCell<Option<Carrier>>,
    socket: Arc<Socket>,
}

type Carrier = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Line {
    /// Logs in over a socket. `None`: the deadline came first.
    pub(super) fn open<T>(
        config: &Config,
        socket: Arc<Socket>,
        tls: T,
        deadline: Instant,
    ) -> Option<Result<Self, tokio_postgres::Error>>
    where
        T: TlsConnect<Bytes, Stream: TlsStream + Send + 'static>,
    {
        let made = socket.run(config.connect_raw(socket.bytes(), tls), Some(deadline))?;
        Some(made.map(|(client, connection)| {
            let carrier: Carrier = Box::pin(async { drop(connection.await) });
            Line { client, carrier: RefCell::new(Some(carrier)), socket }
        }))
    }

    /// Waits for an answer. `None`: the deadline came first.
    pub(crate) fn wait<F: Future>(&self, answer: F, deadline: Option<Instant>) -> Option<F::Output> {
        let mut answer = pin!(answer);
        let carried = poll_fn(|cx| {
            let out = answer.as_mut().poll(cx);
            if out.is_pending() {
                self.carry(cx);
            }
            out
        });
        self.socket.run(carried, deadline)
    }

    fn carry(&self, cx: &mut Context<'_>) {
        let mut carrier = self.carrier.borrow_mut();
        if carrier.as_mut().is_some_and(|carrier| carrier.as_mut().poll(cx).is_ready()) {
            *carrier = None;
        }
    }

    /// Whether the connection has ended, as far as this machine has heard.
    pub(super) fn is_closed(&self) -> bool {
        self.carry(&mut Context::from_waker(Waker::noop()));
        self.client.is_closed()
    }
}
