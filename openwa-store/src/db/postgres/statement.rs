//! Statements on their way: each goes out behind the beginning of its transaction, if that is still to come, and what need
//! not be waited for goes out together.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{BorrowToSql, Type};
use tokio_postgres::{Client, RowStream, Statement};

use super::conn::{PgConn, Stage, spoiled};
use super::direct::{self, Form};
use super::failure;
use super::value::{Bound, PgRow, type_of};
use crate::db::{Flow, Query};
use crate::entity::Database;
use crate::error::{Error, Result};
use crate::value::{Row, Value};

impl PgConn {
    /// Sends a statement, behind the beginning of its transaction if that is still to come.
    fn send<P: BorrowToSql>(&self, sql: &str, params: impl Iterator<Item = (P, Type)>) -> Result<RowStream> {
        let client = self.client()?;
        let statement = self.outgoing(sql, params)?;
        let prepared = statement.prepared.is_some();
        let sent = if self.stage.get() == Stage::Wanted {
            let begin = self.beginning();
            let begin = client.simple_query(&begin);
            let (began, sent) = self.wait(both(begin, statement.go(client))).ok_or_else(|| self.give_up())?;
            self.begun(began)?;
            sent
        } else {
            self.wait(statement.go(client)).ok_or_else(|| self.give_up())?
        };
        sent.map_err(|e| self.refused(e, prepared))
    }

    fn outgoing<P: BorrowToSql>(
        &self,
        sql: &str,
        params: impl Iterator<Item = (P, Type)>,
    ) -> Result<Outgoing<P>> {
        if let Some(trace) = &self.core.trace {
            trace(Database::Data, sql);
        }
        if self.stage.get() == Stage::Spoiled {
            return Err(self.fault().unwrap_or_else(spoiled));
        }
        let (values, types): (Vec<P>, Vec<Type>) = params.unzip();
        let form = (self.core.texts.translate(sql), types.into_boxed_slice());
        Ok(Outgoing { prepared: self.prepared(&form)?, form, values })
    }

    /// The statement as it is prepared on this connection. `None`: it goes out as text.
    fn prepared(&self, form: &Form) -> Result<Option<Statement>> {
        let inside = matches!(self.stage.get(), Stage::Wanted | Stage::Open);
        let Some(link) = self.link.as_ref().filter(|_| inside && self.is_direct()) else { return Ok(None) };
        let known = link.prepared.borrow_mut().get(form);
        let Some(None) = known else { return Ok(known.flatten()) };
        let prepared = self.open()?.prepare_typed(&form.0, &form.1);
        let prepared =
            self.wait(prepared).ok_or_else(|| self.give_up())?.map_err(|e| self.refused(e, true))?;
        link.prepared.borrow_mut().put(form.clone(), prepared.clone());
        Ok(Some(prepared))
    }

    /// A statement failed. If that was because it is prepared, the connection is given up and the same is done on another
    /// one.
    fn refused(&self, e: tokio_postgres::Error, prepared: bool) -> Error {
        if !prepared || !direct::is_about_statements(&e) {
            return self.note(failure::failure(e));
        }
        if e.code() != Some(&SqlState::FEATURE_NOT_SUPPORTED) {
            self.core.is_pooled();
        }
        self.note(failure::lost(e))
    }

    pub(super) fn execute_with<P: BorrowToSql>(
        &self,
        sql: &str,
        params: impl Iterator<Item = (P, Type)>,
    ) -> Result<u64> {
        let mut rows = pin!(self.send(sql, params)?);
        while self.next(&mut rows)?.is_some() {}
        let changed = rows.rows_affected().unwrap_or(0);
        self.changes.set(self.changes.get() + changed);
        Ok(changed)
    }

    /// Gives `data` to a COPY statement; says how many rows they were. The client library prepares the statement under a
    /// name for as long as it runs, which another client behind the same pooler may have left taken (42P05).
    pub(super) fn copy_in(&self, sql: &str, data: Bytes) -> Result<u64> {
        let client = self.open()?;
        if let Some(trace) = &self.core.trace {
            trace(Database::Data, sql);
        }
        let text = self.core.texts.translate(sql);
        let copied = self.run(async {
            let mut sink = pin!(client.copy_in::<_, Bytes>(&*text).await?);
            poll_fn(|cx| sink.as_mut().poll_ready(cx)).await?;
            sink.as_mut().start_send(data)?;
            sink.finish().await
        })?;
        self.changes.set(self.changes.get() + copied);
        Ok(copied)
    }

    /// Hands over the rows of a query.
    pub(super) fn each_row(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<Flow>,
    ) -> Result<()> {
        self.hand_over(self.send(sql, bound(params))?, each)
    }

    /// Hands over the rows of queries that are sent together, behind the beginning of the transaction if that is still to
    /// come. After one that failed the others only say so.
    pub(super) fn rows_of_all(&self, queries: Vec<Query<'_, '_>>) -> Result<()> {
        let (sent, takers) = self.all_outgoing(queries)?;
        let client = self.client()?;
        let rows = all(sent.into_iter().map(|statement| statement.rows(client)));
        let rows = if self.stage.get() == Stage::Wanted {
            let begin = self.beginning();
            let begin = client.simple_query(&begin);
            let (began, rows) = self.wait(both(begin, rows)).ok_or_else(|| self.give_up())?;
            self.begun(began)?;
            rows
        } else {
            self.wait(rows).ok_or_else(|| self.give_up())?
        };
        self.take_all(rows, takers)
    }

    /// The same, and keeps what they did: together with the transaction if it has begun, else each by itself. Those wait
    /// for one another behind a pooler, which would give the server away after the first while it passes on the second.
    pub(super) fn rows_of_all_kept(&self, queries: Vec<Query<'_, '_>>) -> Result<()> {
        let (sent, takers) = self.all_outgoing(queries)?;
        let client = self.client()?;
        let rows = sent.into_iter().map(|statement| statement.rows(client));
        // Behind this it is outside a transaction in any case.
        let answers = if self.stage.replace(Stage::Idle) == Stage::Open {
            self.wait(both(all(rows), client.batch_execute("COMMIT")))
        } else if self.is_direct() {
            self.wait(all(rows)).map(|rows| (rows, Ok(())))
        } else {
            self.wait(one_by_one(rows)).map(|rows| (rows, Ok(())))
        };
        let (rows, ended) = answers.ok_or_else(|| self.give_up())?;
        let taken = self.take_all(rows, takers);
        taken.and(ended.map_err(|e| self.note(failure::failure(e))))
    }

    fn all_outgoing<'a, 'e>(
        &self,
        queries: Vec<Query<'a, 'e>>,
    ) -> Result<(Vec<Outgoing<Bound<'a>>>, Vec<Taker<'e>>)> {
        let (mut sent, mut takers) = (Vec::new(), Vec::new());
        for Query { sql, params, each } in queries {
            let statement = self.outgoing(sql, bound(params))?;
            takers.push(Taker { prepared: statement.prepared.is_some(), each });
            sent.push(statement);
        }
        Ok((sent, takers))
    }

    /// What one answers is taken at once: the client library reads nothing of the next before that.
    fn take_all(&self, rows: Vec<Rows>, takers: Vec<Taker<'_>>) -> Result<()> {
        let rows = rows.into_iter().zip(&takers);
        let rows: Result<Vec<_>> =
            rows.map(|(rows, taker)| rows.map_err(|e| self.refused(e, taker.prepared))).collect();
        rows?.into_iter().zip(takers).try_for_each(|(rows, taker)| take(rows, taker.each))
    }

    fn hand_over(&self, rows: RowStream, each: &mut dyn FnMut(&dyn Row) -> Result<Flow>) -> Result<()> {
        let mut rows = pin!(rows);
        let mut done = None;
        while let Some(row) = self.next(&mut rows)? {
            done = done.or_else(|| match each(&row) {
                Ok(Flow::Continue(())) => None,
                Ok(Flow::Break(())) => Some(Ok(())),
                Err(e) => Some(Err(e)),
            });
            // What is still on its way is read nevertheless where the next request has to wait for it.
            if done.is_some() && !self.is_exposed() {
                break;
            }
        }
        done.unwrap_or(Ok(()))
    }

    fn next(&self, rows: &mut Pin<&mut RowStream>) -> Result<Option<PgRow>> {
        let next = poll_fn(|cx| rows.as_mut().poll_next(cx));
        match self.wait(next) {
            None => Err(self.give_up()),
            Some(None) => Ok(None),
            Some(Some(row)) => row.map(|row| Some(PgRow(row))).map_err(|e| self.note(failure::failure(e))),
        }
    }
}

fn take(rows: Vec<tokio_postgres::Row>, each: &mut dyn FnMut(&dyn Row) -> Result<Flow>) -> Result<()> {
    for row in rows {
        if each(&PgRow(row))?.is_break() {
            break;
        }
    }
    Ok(())
}

type Rows = std::result::Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>;

/// Who takes the rows of a statement that is on its way.
struct Taker<'e> {
    prepared: bool,
    each: &'e mut dyn FnMut(&dyn Row) -> Result<Flow>,
}

/// A statement that is ready to go.
struct Outgoing<P> {
    form: Form,
    prepared: Option<Statement>,
    values: Vec<P>,
}

impl<P: BorrowToSql> Outgoing<P> {
    async fn go(self, client: &Client) -> std::result::Result<RowStream, tokio_postgres::Error> {
        match &self.prepared {
            Some(statement) => client.query_raw(statement, self.values).await,
            None => client.query_typed_raw(&self.form.0, self.values.into_iter().zip(self.form.1)).await,
        }
    }

    async fn rows(self, client: &Client) -> Rows {
        let mut stream = pin!(self.go(client).await?);
        let mut rows = Vec::new();
        while let Some(row) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            rows.push(row?);
        }
        Ok(rows)
    }
}

pub(super) fn bound<'a>(params: &'a [Value<'a>]) -> impl Iterator<Item = (Bound<'a>, Type)> {
    params.iter().map(|value| (Bound(*value), type_of(*value)))
}

/// All futures, each sent before the next.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        for (future, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(out) = future.as_mut().poll(cx) {
                *done = Some(out);
            }
        }
        if waiting.iter().any(|(_, done)| done.is_none()) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

/// All futures, each sent when the one before is done, up to one that fails.
async fn one_by_one(futures: impl Iterator<Item = impl Future<Output = Rows>>) -> Vec<Rows> {
    let mut done = Vec::new();
    for future in futures {
        done.push(future.await);
        if done.last().is_some_and(Rows::is_err) {
            break;
        }
    }
    done
}

/// Both futures, the first sent before the second.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut done_a, mut done_b) = (None, None);
    poll_fn(|cx| {
        if done_a.is_none()
            && let Poll::Ready(out) = a.as_mut().poll(cx)
        {
            done_a = Some(out);
        }
        if done_b.is_none()
            && let Poll::Ready(out) = b.as_mut().poll(cx)
        {
            done_b = Some(out);
        }
        match (done_a.take(), done_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (done_a, done_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}
