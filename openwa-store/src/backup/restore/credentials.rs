//! Whether a restore would bring back credentials that were used since.

use std::collections::BTreeMap;
use std::path::Path;

use crate::backup::sources::still;
use crate::db::Conn;
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

/// Sessions that are named in a refusal.
const NAMED: usize = 5;

/// Fails when a session has newer credentials in the old file than in the new one. Each message moves them on; who comes
/// back with those of yesterday can neither read nor be read, and the account may be locked.
pub(super) fn refuse_older(old: &Path, new: &Path) -> Result<()> {
    let unknown = |e: Error| {
        let text = "whether the credentials of the store that is there are newer than those of the backup cannot be told, \
                    because it cannot be read; if its sessions were used since the backup they have to be paired again \
                    after the restore, which is to be allowed explicitly";
        Error::new(Kind::Conflict, text).with("path", old.display()).caused_by(e)
    };
    let there = credentials(old).map_err(unknown)?;
    let coming = credentials(new)?;
    let newer: Vec<&str> = there
        .iter()
        .filter(|(session, (_, at))| coming.get(*session).is_some_and(|(_, other)| other < at))
        .map(|(_, (name, _))| name.as_str())
        .collect();
    if newer.is_empty() {
        return Ok(());
    }
    let more = if newer.len() > NAMED { format!(" and {} more", newer.len() - NAMED) } else { String::new() };
    let text = format!(
        "the store that is there has newer credentials than the backup, for {}{more}: these sessions were used since, and \
         coming back with older keys breaks them, so that they have to be paired again; that is to be allowed explicitly",
        newer[..newer.len().min(NAMED)].join(", ")
    );
    Err(Error::new(Kind::Conflict, text).with("sessions", newer.len()))
}

type Credentials = BTreeMap<String, (String, Timestamp)>;

/// Name of each session and when its credentials last changed, by its id.
fn credentials(path: &Path) -> Result<Credentials> {
    let conn = still(path, Database::Data).open_still()?;
    let text = |v: Value<'_>| match v {
        Value::Text(s) => Text::from(s).to_string(),
        Value::Uuid(id) => id.to_string(),
        _ => String::new(),
    };
    let sql = "SELECT s.id, s.name, max(a.updated_at) FROM session_auth a JOIN sessions s ON s.id = a.session_id GROUP BY s.id";
    let found = (&conn as &dyn Conn)
        .all(sql, &[], |row| Ok((text(row.get(0)), text(row.get(1)), Timestamp::read(row.get(2)))))?;
    Ok(found.into_iter().filter_map(|(id, name, at)| Some((id, (name, at?)))).collect())
}
