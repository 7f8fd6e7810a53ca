//! One person, two addresses: resolving a LID to its phone address, and what a new pair moves.

use std::borrow::Cow;

use uuid::Uuid;

use super::{Ids, contacts, logs};
use crate::db::Conn;
use crate::entity::Session;
use crate::error::{Error, Result};
use crate::json::Json;
use crate::policy::address;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

/// The address under which a person, group or newsletter is kept: normalised, and a LID with a known phone
/// address becomes that.
pub(crate) fn canonical(conn: &dyn Conn, session: Uuid, given: &Text) -> Result<Text> {
    let address = match address::normalize(given.as_stored()) {
        Cow::Borrowed(_) => Cow::Borrowed(given),
        Cow::Owned(s) => Cow::Owned(Text::from_stored(s)),
    };
    if address::is_lid(address.as_stored())
        && let Some(pn) = phone_address(conn, session, &address)?
    {
        return Ok(pn);
    }
    Ok(address.into_owned())
}

/// The address and the others under which messages of the same chat lie, where they were taken over from another gateway
/// and kept as it wrote them: `c.us` for the phone address, and LIDs whose pair was known there.
pub(crate) fn spellings(conn: &dyn Conn, session: Uuid, canonical: Text) -> Result<Vec<Text>> {
    let Some(user) = canonical.as_stored().strip_suffix("@s.whatsapp.net") else {
        return Ok(vec![canonical]);
    };
    let mut found = vec![canonical.clone()];
    let other = Text::from_stored(format!("{user}@c.us"));
    let sql = "SELECT 1 FROM messages WHERE session_id = ?1 AND chat_id = ?2 LIMIT 1";
    if conn.first(sql, &[Value::Uuid(session), other.bind()], |_| Ok(()))?.is_some() {
        found.push(other);
    }
    let sql = "SELECT i.lid FROM identities AS i WHERE i.session_id = ?1 AND i.pn = ?2
                  AND EXISTS (SELECT 1 FROM messages AS m WHERE m.session_id = ?1 AND m.chat_id = i.lid)";
    let lids = conn.all(sql, &[Value::Uuid(session), canonical.bind()], |row| Ok(Text::read(row.get(0))))?;
    found.extend(lids.into_iter().flatten());
    Ok(found)
}

fn phone_address(conn: &dyn Conn, session: Uuid, lid: &Text) -> Result<Option<Text>> {
    let sql = "SELECT pn FROM identities WHERE session_id = ?1 AND lid = ?2";
    let found = conn.first(sql, &[Value::Uuid(session), lid.bind()], |row| Ok(Text::read(row.get(0))))?;
    Ok(found.flatten())
}

/// Learns that a LID and a phone address are one person, and moves what was stored under the LID. Says whether
/// that was news. A pair with the account's own number is ignored: engines report it for linked devices.
pub(crate) fn learn(
    conn: &dyn Conn,
    ids: &Ids,
    session: &Session,
    lid: &Text,
    pn: &Text,
    now: Timestamp,
) -> Result<bool> {
    let lid = Text::from_stored(address::normalize(lid.as_stored()));
    let pn = Text::from_stored(address::normalize(pn.as_stored()));
    if !address::is_lid(lid.as_stored()) {
        return Err(Error::invalid("lid", format!("{lid} is not a LID address (…@lid)")));
    }
    let Some(digits) = address::phone_digits(pn.as_stored()) else {
        return Err(Error::invalid("pn", format!("{pn} is not a phone address (…@s.whatsapp.net)")));
    };
    let own = session.phone.as_ref().is_some_and(|p| p.as_stored() == digits);
    if conn.dialect().has_many_writers() {
        // Saves of other processes keep the session as it is; none of them may store under the LID from here on.
        conn.run(
            &conn.dialect().locking("SELECT id FROM sessions WHERE id = ?1"),
            &[Value::Uuid(session.id)],
        )?;
    }
    if own || phone_address(conn, session.id, &lid)?.as_ref() == Some(&pn) {
        return Ok(false);
    }
    conn.execute(
        "INSERT INTO identities (session_id, lid, pn, updated_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (session_id, lid) DO UPDATE SET pn = excluded.pn, updated_at = excluded.updated_at",
        &[Value::Uuid(session.id), lid.bind(), pn.bind(), Value::Time(now)],
    )?;
    let moved = move_rows(conn, session.id, &lid, &pn)?;
    let merged = contacts::merge(conn, session.id, &lid, &pn, now)?;
    if moved > 0 || merged {
        let data = serde_json::json!({
            "lid": lid.as_stored(), "pn": pn.as_stored(), "rows": moved, "contacts": merged,
        });
        logs::session_event(conn, ids, session.id, "identity.merged", None, Some(Json::from(data)), now)?;
    }
    Ok(true)
}

/// Forgets the pairs that turned out to be the account's own.
pub(crate) fn forget_own(conn: &dyn Conn, session: Uuid, pn: &Text) -> Result<()> {
    let sql = "DELETE FROM identities WHERE session_id = ?1 AND pn = ?2";
    conn.execute(sql, &[Value::Uuid(session), pn.bind()])?;
    Ok(())
}

fn move_rows(conn: &dyn Conn, session: Uuid, lid: &Text, pn: &Text) -> Result<u64> {
    let params = [Value::Uuid(session), lid.bind(), pn.bind()];
    let mut moved = 0;
    for sql in [
        "UPDATE messages SET chat_id = ?3 WHERE session_id = ?1 AND chat_id = ?2",
        // The predicate of the partial index is repeated, else the planner may not use it.
        "UPDATE messages SET from_number = ?3
          WHERE session_id = ?1 AND from_number = ?2 AND from_number LIKE '%@lid'",
        "UPDATE messages SET to_number = ?3
          WHERE session_id = ?1 AND to_number = ?2 AND to_number LIKE '%@lid'",
    ] {
        moved += conn.execute(sql, &params)?;
    }
    Ok(moved + move_reactions(conn, &params)?)
}

/// Of two reactions of one person to one message the later one stays. The messages are looked up by themselves
/// because only then the planner takes the partial index; else it reads every reaction of the session.
fn move_reactions(conn: &dyn Conn, params: &[Value<'_>; 3]) -> Result<u64> {
    conn.execute(
        "INSERT INTO message_reactions (session_id, wa_message_id, sender, emoji, reacted_at)
         SELECT session_id, wa_message_id, ?3, emoji, reacted_at FROM message_reactions
          WHERE session_id = ?1 AND sender = ?2 AND wa_message_id IN (
            SELECT wa_message_id FROM message_reactions
             WHERE session_id = ?1 AND sender = ?2 AND sender LIKE '%@lid')
             ON CONFLICT (session_id, wa_message_id, sender) DO UPDATE
            SET emoji = excluded.emoji, reacted_at = excluded.reacted_at
          WHERE excluded.reacted_at > message_reactions.reacted_at",
        params,
    )?;
    conn.execute(
        "DELETE FROM message_reactions
          WHERE session_id = ?1 AND sender = ?2 AND wa_message_id IN (
            SELECT wa_message_id FROM message_reactions
             WHERE session_id = ?1 AND sender = ?2 AND sender LIKE '%@lid')",
        &params[..2],
    )
}

/// Every known pair of a session: LID and phone address.
pub(crate) fn pairs(conn: &dyn Conn, session: Uuid) -> Result<Vec<crate::entity::Identity>> {
    conn.rows(
        super::sql!(crate::entity::Identity, "SELECT {} FROM identities WHERE session_id = ?1 ORDER BY lid"),
        &[Value::Uuid(session)],
    )
}
