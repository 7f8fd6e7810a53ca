//! Reactions whose message is not there.

use super::{Checker, Finding, FindingKind};
use crate::db::Conn;
use crate::entity::{Database, MessageReaction};
use crate::error::Result;
use crate::repo::pending::Change;
use crate::repo::{changes, sql};
use crate::store::{Env, Store};
use crate::value::Column;

use super::findings::rows;

/// Reactions that one transaction moves.
const AT_ONCE: u64 = 200;

/// Where a message is looked up by WhatsApp's id.
fn place(conn: &dyn Conn) -> &'static str {
    if conn.dialect().has_message_ids() { "message_ids" } else { "messages" }
}

/// Which they are. Those whose session is gone too are orphans like others; nothing can wait there.
fn lost(place: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM {place} m
            WHERE m.session_id = message_reactions.session_id AND m.wa_message_id = message_reactions.wa_message_id)
         AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = message_reactions.session_id)"
    )
}

pub(super) fn check(checker: &mut Checker<'_, '_>) -> Result<()> {
    let key = super::references::key(MessageReaction::TABLE);
    let asked = checker.ask(Database::Data, "message_reactions", |conn| {
        let lost = lost(place(conn));
        let sql = format!("SELECT count(*), min({key}) FROM message_reactions WHERE {lost}");
        conn.first(&sql, &[], |row| Ok(super::counted(row, 0)))
    })?;
    let found = asked.flatten().unwrap_or_default();
    let n = rows(found.count);
    checker.find(Finding::new(
        FindingKind::LostReaction,
        Database::Data,
        "message_reactions",
        None,
        found,
        |example| format!("message_reactions: {n} whose message is not there, for instance {example}"),
    ));
    Ok(())
}

/// Lets them wait for their message, which is where a reaction is that comes before it. Where history is off nothing
/// waits, and they stay.
pub(super) fn repair(store: &Store) -> Result<u64> {
    let mut all = 0;
    loop {
        let some = move |conn: &dyn Conn, env: &Env| {
            let lost = lost(place(conn));
            let sql = format!(
                "{} WHERE {lost} ORDER BY session_id, wa_message_id LIMIT {AT_ONCE}",
                sql!(MessageReaction, "SELECT {} FROM message_reactions")
            );
            let now = env.now();
            let cx = env.context(now);
            let mut moved = 0;
            for row in conn.rows::<MessageReaction>(&sql, &[])? {
                let change = Change::Reaction {
                    sender: row.sender.clone(),
                    emoji: row.emoji.clone(),
                    at: row.reacted_at,
                };
                let kept = changes::wait(conn, &cx, row.session_id, &row.wa_message_id, &change)?;
                // The message came just now: the reaction is where it belongs. Nothing is kept: it stays as well.
                if !matches!(kept, Some(crate::repo::messages::Changed::Waiting)) {
                    continue;
                }
                let key = [row.session_id.bind(), row.wa_message_id.bind(), row.sender.bind()];
                moved += conn.execute(
                    "DELETE FROM message_reactions WHERE session_id = ?1 AND wa_message_id = ?2 AND sender = ?3",
                    &key,
                )?;
            }
            Ok(moved)
        };
        let moved = store.write("repair", some).wait()?;
        all += moved;
        if moved == 0 {
            return Ok(all);
        }
    }
}
