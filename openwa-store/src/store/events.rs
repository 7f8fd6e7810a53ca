use uuid::Uuid;

use super::Store;
use crate::db::Pending;
use crate::engine::{self, Change, Engine};
use crate::error::Result;
use crate::json;
use crate::observe;
use crate::repo::ingest::{self, Ingested};
use crate::time::Timestamp;

impl Store {
    /// Takes what an engine emitted, as JSON, and applies all of it in one commit.
    ///
    /// `event` is one event (`{"event": "messages.upsert", "data": …}`), an array of them, or a Baileys event map
    /// (`{"messages.upsert": …, "chats.update": …}`). Unknown events and fields are counted, never an error; a
    /// message that is not acceptable is reported in [`Ingested::refused`] and does not affect the rest.
    ///
    /// Errors: `InvalidArgument` for JSON that is no event, `NotFound` for the session.
    pub fn ingest(&self, engine: Engine, session: Uuid, event: impl AsRef<[u8]>) -> Pending<Ingested> {
        self.ingest_at(engine, session, event, None)
    }

    /// [`ingest`](Self::ingest) for an event of the past: `at` stands for the present. Such an event may have been
    /// applied before, so a status is left out if the session's log has it, or a later one.
    pub fn ingest_at(
        &self,
        engine: Engine,
        session: Uuid,
        event: impl AsRef<[u8]>,
        at: Option<Timestamp>,
    ) -> Pending<Ingested> {
        Pending::checked(self.ingest_parsed(engine, session, event.as_ref(), at))
    }

    fn ingest_parsed(
        &self,
        engine: Engine,
        session: Uuid,
        event: &[u8],
        at: Option<Timestamp>,
    ) -> Result<Pending<Ingested>> {
        let value = json::parse(event).map_err(|e| e.during("ingest"))?;
        let mut changes = Vec::new();
        let mut unknown = Vec::new();
        for event in engine::events(&value).map_err(|e| e.during("ingest"))? {
            if !engine::changes(engine, event.name, event.data, &mut changes) {
                unknown.push(event.name.to_owned());
            }
        }
        Ok(self.ingest_changes(session, changes, unknown, at))
    }

    /// Applies the changes of one event map in one commit; `unknown` names the events that could not be read.
    pub(crate) fn ingest_changes(
        &self,
        session: Uuid,
        changes: Vec<Change>,
        unknown: Vec<String>,
        at: Option<Timestamp>,
    ) -> Pending<Ingested> {
        self.write("ingest", move |conn, env| {
            let cx = env.context(at.unwrap_or_else(|| env.now()));
            let mut done = ingest::apply(conn, &cx, session, &changes, at.map(|_| env.now()))?;
            done.unknown.clone_from(&unknown);
            Ok(done)
        })
        .seen_by(|done| done.messages.iter().for_each(|saved| observe::saved(saved.outcome.name())))
    }
}
