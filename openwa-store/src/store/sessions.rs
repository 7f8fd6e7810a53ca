use uuid::Uuid;

use super::Store;
use crate::db::Pending;
use crate::entity::{Session, SessionLog, SessionStatus};
use crate::error::Result;
use crate::json::Json;
use crate::repo::logs;
use crate::repo::paging::{Page, PageRequest};
use crate::repo::sessions::{self, NewSession, SessionFilter, SessionUpdate, Transition};
use crate::text::Text;

/// Sessions and their life; see [`Store::sessions`].
pub struct Sessions<'a>(pub(super) &'a Store);

impl Sessions<'_> {
    /// Creates a session in status `created`.
    ///
    /// Errors: `AlreadyExists` for a name that is taken, `InvalidArgument` naming the column.
    pub fn create(&self, new: NewSession) -> Pending<Session> {
        self.0.write("sessions.create", move |conn, env| sessions::create(conn, &env.ids, &new, env.now()))
    }

    /// One session by id.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn get(&self, id: Uuid) -> Result<Session> {
        self.0.data("sessions.get", |conn| sessions::get(conn, id))
    }

    /// One session by name.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find(&self, name: impl Into<Text>) -> Result<Option<Session>> {
        let name = name.into();
        self.0.data("sessions.find", |conn| sessions::by_name(conn, &name))
    }

    /// One page of sessions, in the order of creation.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn list(&self, filter: &SessionFilter, request: &PageRequest) -> Result<Page<Session>> {
        self.0.data("sessions.list", |conn| sessions::list(conn, filter, request))
    }

    /// Changes name, number, settings or the engine's state.
    ///
    /// Errors: `NotFound`, `AlreadyExists`, `InvalidArgument`.
    pub fn update(&self, id: Uuid, with: SessionUpdate) -> Pending<Session> {
        self.0.write("sessions.update", move |conn, env| sessions::change(conn, id, &with, env.now()))
    }

    /// Moves a session to a status and logs it in the same commit. The same status again changes nothing, except
    /// that a new QR code is logged.
    ///
    /// Errors: `InvalidTransition` naming both states and what is allowed, `Conflict` when another process was
    /// faster, `NotFound`.
    pub fn transition(&self, id: Uuid, to: SessionStatus) -> Pending<Transition> {
        self.transition_because(id, to, None)
    }

    /// [`transition`](Self::transition) with a reason for the log.
    pub fn transition_because(
        &self,
        id: Uuid,
        to: SessionStatus,
        reason: Option<Text>,
    ) -> Pending<Transition> {
        self.0.write("sessions.transition", move |conn, env| {
            sessions::transition(conn, &env.ids, id, to, reason.as_ref(), env.now())
        })
    }

    /// After a start: every session that should run again. Those in a state that only a live engine can hold are
    /// `disconnected` now.
    pub fn restore(&self) -> Pending<Vec<Session>> {
        self.0.write("sessions.restore", |conn, env| sessions::restore(conn, &env.ids, env.now()))
    }

    /// Takes a failed session back to `created`, with its credentials cleared.
    ///
    /// Errors: `InvalidTransition` for a session that is not failed, `NotFound`.
    pub fn recreate(&self, id: Uuid) -> Pending<Session> {
        self.0.write("sessions.recreate", move |conn, env| sessions::recreate(conn, &env.ids, id, env.now()))
    }

    /// Deletes a session and all that belongs to it: messages, contacts, webhooks, credentials, logs. False: there
    /// was none.
    pub fn delete(&self, id: Uuid) -> Pending<bool> {
        self.0.write("sessions.delete", move |conn, _| sessions::delete(conn, id))
    }

    /// Writes one line of a session's log.
    pub fn log(&self, id: Uuid, event: impl Into<Text>, data: Option<Json>) -> Pending<SessionLog> {
        let event = event.into();
        self.0.write("sessions.log", move |conn, env| {
            logs::session_event(conn, &env.ids, id, event.as_stored(), None, data.clone(), env.now())
        })
    }

    /// One page of a session's log, newest first, all of it or one kind of event.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad limit or cursor.
    pub fn logs(&self, id: Uuid, event: Option<&Text>, request: &PageRequest) -> Result<Page<SessionLog>> {
        self.0.data("sessions.logs", |conn| logs::of_session(conn, id, event, request))
    }
}
