//! Whether a connection ends at the server itself, where statements stay prepared from one transaction to the next, or
//! at a pooler, where they do not, and where another client's may lie under the same name.
//!
//! A server tells each client which process serves it, so that the client can have it stopped. A pooler tells a number
//! of its own. So a connection is direct if the process that answers is the one that was named when it was made. A
//! pooler might hand out the server's own number and still change servers later: each transaction on a direct
//! connection asks again which process it is in.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::types::Type;
use tokio_postgres::{CancelToken, Client, SimpleQueryMessage, Statement};

/// Asks which process answers.
pub(super) const WHO: &str = "SELECT pg_backend_pid()";

/// The server's process, if it is the one that the client was told of. `None`: a pooler is in between.
pub(super) async fn process(client: &Client) -> Result<Option<i32>, tokio_postgres::Error> {
    let answers = answering(&client.simple_query(WHO).await?);
    let told = told(&client.cancel_token()).await;
    Ok(answers.filter(|process| Some(*process) == told))
}

/// The process that [`WHO`] named, which came last.
pub(super) fn answering(messages: &[SimpleQueryMessage]) -> Option<i32> {
    let last = messages.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    last?.parse().ok()
}

/// The process that was named when the connection was made. The client library keeps it to itself, but writes it into
/// a request to cancel: 16, a fixed code, the process and its secret, each in four bytes.
async fn told(token: &CancelToken) -> Option<i32> {
    let mut paper = Paper::default();
    token.cancel_query_raw(&mut paper, Unencrypted).await.ok()?;
    let request = paper.0.last_chunk::<16>()?;
    Some(i32::from_be_bytes(*request[8..].first_chunk()?))
}

/// Takes down what is sent, and agrees to encryption when asked.
#[derive(Default)]
struct Paper(Vec<u8>);

impl AsyncWrite for Paper {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Paper {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        out.put_slice(b"S");
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for &mut Paper {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// What is written down is not encrypted.
struct Unencrypted;

impl<'a> TlsConnect<&'a mut Paper> for Unencrypted {
    type Stream = &'a mut Paper;
    type Error = std::io::Error;
    type Future = Ready<std::io::Result<&'a mut Paper>>;

    fn connect(self, paper: &'a mut Paper) -> Self::Future {
        ready(Ok(paper))
    }
}

/// A statement as the server knows it: a NULL parameter has no type of its own, so that the types belong to it as well as
/// the text.
pub(super) type Form = (Arc<str>, Box<[Type]>);

/// Statements that a direct connection keeps prepared, each from its second use on.
#[derive(Default)]
pub(super) struct Prepared(HashMap<Form, Option<Statement>>);

/// How many one connection keeps; the library has some two hundred different texts. A server process needs 50 to 200 kB
/// for each.
const KEPT: usize = 250;

impl Prepared {
    /// `None`: this is its first use. `Some(None)`: it is worth preparing.
    pub(super) fn get(&mut self, form: &Form) -> Option<Option<Statement>> {
        let known = self.0.get(form).cloned();
        if known.is_none() {
            if self.0.len() >= KEPT {
                // Rather than to keep account of their use.
                self.0.clear();
            }
            self.0.insert(form.clone(), None);
        }
        known
    }

    pub(super) fn put(&mut self, form: Form, statement: Statement) {
        self.0.insert(form, Some(statement));
    }
}

/// Whether a failure says that what was prepared is not there, that its name is taken, or that the tables have changed
/// beneath it.
pub(super) fn is_about_statements(e: &tokio_postgres::Error) -> bool {
    [
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::DUPLICATE_PSTATEMENT,
        // "cached plan must not change result type"
        SqlState::FEATURE_NOT_SUPPORTED,
    ]
    .iter()
    .any(|state| e.code() == Some(state))
}
