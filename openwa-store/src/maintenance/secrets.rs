//! Sealing what is in clear, changing the key, opening what is sealed, and dropping what nobody can open any more.
//!
//! All four are the same walk. First the row of `openwa_seal` says how secrets are to be written from now on; every
//! write of every process goes by it. Then all rows are read page by page, and those that are not as they should be are
//! written anew, a page to a commit, each only if it still is what was read. At the end the row says that all is done.
//! A walk that was broken off is done again from the start; rows that are right cost a read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::db::{Conn, Database, Pending, Ring, SealState};
use crate::entity::{self, Table, tables_of};
use crate::error::{Error, Kind, Result};
use crate::repo::{Ids, logs};
use crate::seal::{Dropped, OpenedRow, Own, SealKey, Target, drop_lost, is_as_wanted};
use crate::store::Env;
use crate::time::Timestamp;
use crate::transfer::{OnProgress, Progress, report};
use crate::value::{Column, ColumnKind, Row, Value};

/// Rows of a page: a commit of a few milliseconds.
const PAGE: usize = 200;
/// How long the old key still opens the store after it was changed: time to give every gateway the new one.
pub(crate) const OLD_KEY_LIVES: Duration = Duration::from_secs(24 * 3600);

/// The work that one process may do at a time.
pub(crate) const TURN: &str = "secrets";

/// Looks at a database that is being opened. A key that does not fit is refused; a key for a database in clear means
/// that it is sealed from here on.
pub(crate) fn at_open(conn: &dyn Conn, now: Timestamp) -> Result<()> {
    let ring = conn.seals().look(conn, false)?;
    let Some(given) = ring.given() else { return Ok(()) };
    if ring.state.key.is_some() {
        ring.target()?;
        let retires = ring.state.changed_at.is_some_and(|at| at.plus(OLD_KEY_LIVES) < now);
        return if retires { in_transaction(conn, |conn| retire(conn, None)) } else { Ok(()) };
    }
    in_transaction(conn, |conn| begin_sealing(conn, &given, now))
}

fn in_transaction(conn: &dyn Conn, work: impl FnOnce(&dyn Conn) -> Result<()>) -> Result<()> {
    conn.begin()?;
    let done = work(conn);
    conn.end(done.is_ok()).and(done)
}

/// Says that secrets are sealed with `key` from now on, unless they are sealed already.
pub(crate) fn begin_sealing(conn: &dyn Conn, key: &Arc<SealKey>, now: Timestamp) -> Result<()> {
    let ring = conn.seals().look(conn, true)?;
    if ring.state.key.is_some() {
        return ring.target().map(drop);
    }
    if let Some(old) = ring.state.old.filter(|old| ring.key(*old).is_none()) {
        let text =
            "some secrets are still sealed with another key: it was not finished to open or to forget them";
        return Err(Error::new(Kind::WrongStoreKey, text).with("key", old).with("given", key.id()));
    }
    SealState { key: Some(key.id()), changed_at: Some(now), ..SealState::default() }.write(conn)
}

/// Says that secrets are sealed with `new` from now on. Each of the two keys is left behind sealed with the other, for
/// processes that have only one of them.
pub(crate) fn begin_rotation(conn: &dyn Conn, new: &Arc<SealKey>, now: Timestamp) -> Result<()> {
    let ring = conn.seals().look(conn, true)?;
    let Target::Sealed(old) = ring.target()? else {
        return Err(Error::new(
            Kind::Conflict,
            "the secrets of this store are not sealed; there is no key to change",
        ));
    };
    if old.id() == new.id() {
        return Ok(());
    }
    let state = SealState {
        key: Some(new.id()),
        old: Some(old.id()),
        new_by_old: Some(old.wrap(new)?),
        old_by_new: Some(new.wrap(&old)?),
        finished: false,
        clean: ring.state.clean,
        changed_at: Some(now),
    };
    state.write(conn)
}

/// Says that secrets are in clear from now on. `old` is the key they are sealed with.
pub(crate) fn begin_opening(conn: &dyn Conn) -> Result<()> {
    let ring = conn.seals().look(conn, true)?;
    let old = ring.state.key.or(ring.state.old);
    SealState { old, ..SealState::default() }.write(conn)
}

/// Has the walk done again although it was finished.
pub(crate) fn begin_again(conn: &dyn Conn) -> Result<()> {
    let ring = conn.seals().look(conn, true)?;
    SealState { finished: false, ..ring.state.clone() }.write(conn)
}

/// Says that every secret is as it should be.
pub(crate) fn finish(conn: &dyn Conn) -> Result<()> {
    let ring = conn.seals().look(conn, true)?;
    let old = ring.state.old.filter(|_| ring.state.key.is_some());
    SealState { finished: true, old, ..ring.state.clone() }.write(conn)
}

/// Says whether free space holds no secret in clear any more.
pub(crate) fn note_clean(conn: &dyn Conn) -> Result<()> {
    let ring = conn.seals().look(conn, true)?;
    SealState { clean: true, ..ring.state.clone() }.write(conn)
}

/// Takes the old key's right to open the store, once nothing is sealed with it any more; `key` is the one that has to
/// hold.
pub(crate) fn retire(conn: &dyn Conn, key: Option<&SealKey>) -> Result<()> {
    let state = conn.seals().look(conn, true)?.state.clone();
    if !state.finished || key.is_some_and(|key| state.key != Some(key.id())) {
        return Ok(());
    }
    SealState { old: None, new_by_old: None, old_by_new: None, ..state }.write(conn)
}

/// What a walk found.
#[derive(Default)]
pub(crate) struct Walked {
    /// Rows that were looked at.
    pub(crate) seen: u64,
    /// Rows that were written anew.
    pub(crate) changed: u64,
    /// Rows that cannot be read, and why the first of them cannot.
    pub(crate) unreadable: u64,
    pub(crate) first: Option<Error>,
}

/// A row that is to be written anew.
struct Changed {
    table: &'static Table,
    key: Vec<String>,
    /// The columns, what they are to hold, and what they held.
    values: Vec<(usize, Own, Own)>,
}

/// Writes every secret anew that is not as it should be.
pub(crate) fn walk(database: &Arc<Database>, progress: &mut OnProgress<'_>) -> Result<Walked> {
    let mut walked = Walked::default();
    for table in sealed_tables() {
        let mut rows = 0;
        report(progress, Progress { table: table.name, rows, total: None }, true)?;
        let mut last = None;
        loop {
            let (next, seen, changed) =
                database.read(|conn| page(conn, table, last.as_deref(), &mut walked))?;
            walked.seen += seen;
            walked.changed += changed.len() as u64;
            write(database, changed).wait()?;
            rows += seen;
            report(progress, Progress { table: table.name, rows, total: None }, true)?;
            match next {
                Some(next) => last = Some(next),
                None => break,
            }
        }
    }
    Ok(walked)
}

pub(crate) fn sealed_tables() -> impl Iterator<Item = &'static Table> {
    tables_of(entity::Database::Data).filter(|t| t.is_sealed())
}

type Page = (Option<Vec<String>>, u64, Vec<Changed>);

fn page(
    conn: &dyn Conn,
    table: &'static Table,
    after: Option<&[String]>,
    walked: &mut Walked,
) -> Result<Page> {
    let ring = conn.seals().look(conn, false)?;
    let target = ring.target()?;
    let (mut last, mut seen, mut changed) = (None, 0, Vec::new());
    let (mut unreadable, mut first) = (0, None);
    each_row(conn, table, after, &mut |key, row| {
        last = Some(key.clone());
        seen += 1;
        if is_as_wanted(table, row, &target) {
            return Ok(());
        }
        match anew(table, row, &ring, &target) {
            Ok(values) => changed.push(Changed { table, key, values }),
            Err(e) if e.kind() == Kind::Unreadable => {
                unreadable += 1;
                first.get_or_insert(e);
            }
            Err(e) => return Err(e),
        }
        Ok(())
    })?;
    walked.unreadable += unreadable;
    walked.first = walked.first.take().or(first);
    Ok((last.filter(|_| seen == PAGE as u64), seen, changed))
}

/// The sealed values of a row as they should be, and as they are.
fn anew(
    table: &'static Table,
    row: &dyn Row,
    ring: &Ring,
    target: &Target,
) -> Result<Vec<(usize, Own, Own)>> {
    let opened = OpenedRow::new(table, row, ring)?;
    let values = opened.values(table);
    let sealed = target.seal(table, &values)?;
    let columns = table.columns.iter().enumerate().filter(|(_, c)| c.sealing != entity::Sealing::None);
    let both = columns.filter_map(|(i, column)| {
        let new = sealed.get(i).unwrap_or(values[i]);
        let (new, old) = (Own::of(column.kind, new)?, Own::of(column.kind, row.get(i))?);
        (new != old).then_some((i, new, old))
    });
    Ok(both.collect())
}

/// Takes a row with its key.
type TakeRow<'a> = &'a mut dyn FnMut(Vec<String>, &dyn Row) -> Result<()>;

/// Hands over the rows of a page with their keys.
fn each_row(
    conn: &dyn Conn,
    table: &'static Table,
    after: Option<&[String]>,
    each: TakeRow<'_>,
) -> Result<()> {
    let key = table.key.join(", ");
    let after = after.unwrap_or_default();
    let marks: Vec<String> = (1..=after.len()).map(|i| format!("?{i}")).collect();
    let behind =
        if after.is_empty() { String::new() } else { format!(" WHERE ({key}) > ({})", marks.join(", ")) };
    let sql =
        format!("SELECT {} FROM {}{behind} ORDER BY {key} LIMIT {PAGE}", table.column_list(), table.name);
    let values: Vec<Value<'_>> = key_values(table, after).collect();
    conn.query(&sql, &values, &mut |row| {
        let part = |i| match row.get(i) {
            Value::Uuid(id) => id.to_string(),
            Value::Text(s) => s.to_owned(),
            _ => String::new(),
        };
        let key = table.key.iter().filter_map(|k| table.index_of(k)).map(part).collect();
        each(key, row)?;
        Ok(std::ops::ControlFlow::Continue(()))
    })
}

/// The parts of a key in the form in which they are bound.
fn key_values<'a>(table: &'static Table, key: &'a [String]) -> impl Iterator<Item = Value<'a>> {
    let kinds = table.key.iter().filter_map(|k| table.index_of(k)).map(|i| table.columns[i].kind);
    key.iter().zip(kinds).map(|(part, kind)| match kind {
        ColumnKind::Uuid => Uuid::try_parse(part).map_or(Value::Text(part), Value::Uuid),
        _ => Value::Text(part),
    })
}

/// Writes rows anew, each only if it still is what was read: else somebody has written it the right way already.
fn write(database: &Arc<Database>, rows: Vec<Changed>) -> Pending<()> {
    database.write("secrets", move |conn| {
        for row in rows.iter().filter(|row| !row.values.is_empty()) {
            let mut params: Vec<Value<'_>> = row.values.iter().map(|(_, new, _)| new.value()).collect();
            params.extend(row.values.iter().map(|(_, _, old)| old.value()));
            params.extend(key_values(row.table, &row.key));
            let n = row.values.len();
            let name = |i: usize| row.table.columns[row.values[i].0].name;
            let set: Vec<String> = (0..n).map(|i| format!("{} = ?{}", name(i), i + 1)).collect();
            let same = (0..n).map(|i| format!("{} IS NOT DISTINCT FROM ?{}", name(i), n + i + 1));
            let key = row.table.key.iter().enumerate().map(|(i, k)| format!("{k} = ?{}", 2 * n + i + 1));
            let same: Vec<String> = key.chain(same).collect();
            let sql =
                format!("UPDATE {} SET {} WHERE {}", row.table.name, set.join(", "), same.join(" AND "));
            conn.execute(&sql, &params)?;
        }
        Ok(())
    })
}

/// Drops every secret that no key opens, and what is worth nothing without: the credentials of a session go whole, and
/// the session goes back to `created`; a webhook that lost its secret or headers is switched off. Says how many rows lost
/// something.
pub(crate) fn forget(
    database: &Arc<Database>,
    env: &Arc<Env>,
    now: Timestamp,
    progress: &mut OnProgress<'_>,
) -> Result<u64> {
    let mut lost = 0;
    for table in sealed_tables() {
        let (mut after, mut rows) = (None, 0);
        loop {
            let (last, seen, found) = database.read(|conn| lost_rows(conn, table, after.as_deref()))?;
            let env = Arc::clone(env);
            let drop_all = move |conn: &dyn Conn| {
                let (mut over, mut lost) = (BTreeSet::new(), found.len() as u64);
                for (key, dropped) in &found {
                    let has_login = table.name == "session_auth"
                        || (table.name == "sessions" && !dropped.columns.is_empty());
                    over.extend(Uuid::try_parse(&key[0]).ok().filter(|_| has_login));
                    drop_row(conn, table, key, dropped)?;
                }
                for id in over {
                    lost += start_over(conn, &env.ids, id, now)?;
                }
                Ok(lost)
            };
            lost += database.write("forget_secrets", drop_all).wait()?;
            rows += seen;
            report(progress, Progress { table: table.name, rows, total: None }, true)?;
            after = last;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(lost)
}

type Lost = (Option<Vec<String>>, u64, Vec<(Vec<String>, Dropped)>);

fn lost_rows(conn: &dyn Conn, table: &'static Table, after: Option<&[String]>) -> Result<Lost> {
    let ring = conn.seals().look(conn, false)?;
    let (mut last, mut seen, mut found) = (None, 0, Vec::new());
    each_row(conn, table, after, &mut |key, row| {
        last = Some(key.clone());
        seen += 1;
        let dropped = drop_lost(table, row, &*ring);
        if !dropped.columns.is_empty() || dropped.documents.indexes().next().is_some() {
            found.push((key, dropped));
        }
        Ok(())
    })?;
    Ok((last.filter(|_| seen == PAGE as u64), seen, found))
}

fn drop_row(conn: &dyn Conn, table: &'static Table, key: &[String], dropped: &Dropped) -> Result<()> {
    let values: Vec<Value<'_>> = key_values(table, key).collect();
    let equal: Vec<String> = table.key.iter().enumerate().map(|(i, k)| format!("{k} = ?{}", i + 1)).collect();
    let equal = equal.join(" AND ");
    if !matches!(table.name, "sessions" | "webhooks") {
        return conn.execute(&format!("DELETE FROM {} WHERE {equal}", table.name), &values).map(drop);
    }
    let name = |i: &usize| table.columns[*i].name;
    let mut set: Vec<String> = Vec::new();
    set.extend(dropped.columns.iter().map(|i| {
        let empty = if table.columns[*i].nullable { "NULL" } else { "'{}'" };
        format!("{} = {empty}", name(i))
    }));
    let mut params = values;
    for i in dropped.documents.indexes() {
        params.extend(dropped.documents.get(i));
        set.push(format!("{} = ?{}", name(&i), params.len()));
    }
    if table.name == "webhooks" {
        params.push(Value::Bool(false));
        set.push(format!("active = ?{}", params.len()));
    }
    conn.execute(&format!("UPDATE {} SET {} WHERE {equal}", table.name, set.join(", ")), &params).map(drop)
}

/// Takes a session whose credentials are lost back to its beginning. Says how many keys went with that.
fn start_over(conn: &dyn Conn, ids: &Ids, id: Uuid, now: Timestamp) -> Result<u64> {
    let created = entity::SessionStatus::Created;
    let sql = "UPDATE sessions SET status = ?2, connected_at = NULL, auth_state = NULL, updated_at = ?3 WHERE id = ?1";
    if conn.execute(sql, &[Value::Uuid(id), created.bind(), Value::Time(now)])? == 0 {
        return Ok(0);
    }
    let keys = conn.execute("DELETE FROM session_auth WHERE session_id = ?1", &[Value::Uuid(id)])?;
    logs::session_event(conn, ids, id, "secrets.forgotten", Some(created), None, now)?;
    Ok(keys)
}
