//! Credentials on their way to the session they belong to.

use uuid::Uuid;

use super::map;
use super::run::Run;
use super::settle::Present;
use super::source::{At, Credential, Credentials};
use super::spool::Put;
use crate::entity::{Entity, Session, SessionAuth, SessionStatus};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::store::Store;
use crate::text::Text;

/// The table name under which the report tells of credentials.
const CREDENTIALS: &str = "credentials";

impl Run<'_, '_> {
    pub(super) fn credentials(&mut self, store: &Store, credentials: &Credentials) -> Result<()> {
        self.table = self.place(CREDENTIALS);
        self.report.tables[self.table].to = vec![SessionAuth::TABLE.name];
        let session = self.session_for(store, credentials)?;
        credentials.each(|file, credential| {
            self.rows += 1;
            self.report.tables[self.table].rows += 1;
            let Credential { category, key_id, value, at } = match credential {
                Ok(credential) => credential,
                Err(wrong) => {
                    self.problem(CREDENTIALS, file.to_owned(), wrong);
                    return Ok(());
                }
            };
            let row = SessionAuth { session_id: session, category, key_id, value, updated_at: at };
            if let Err(e) = row.check() {
                self.problem(CREDENTIALS, file.to_owned(), map::wrong(&e));
                return Ok(());
            }
            let row = self.out.render(&row, None, Some(session.to_string()), true)?;
            let put = self.spool.put(&row, self.source)?;
            let table = &mut self.report.tables[self.table];
            if put == Put::New {
                table.mapped += 1;
            } else {
                table.repeated += 1;
            }
            self.tell(At { done: self.rows, total: None }, false)
        })
    }

    /// The session that credentials belong to: a known one, or a new one that is put into the spool.
    fn session_for(&mut self, store: &Store, credentials: &Credentials) -> Result<Uuid> {
        let named = self.options.session.as_ref().map(|s| s.as_stored().to_owned());
        let Some(name) = named.clone().or_else(|| credentials.session_name()) else {
            return Err(Error::invalid(
                "session",
                "the credentials do not say which session they are of; name it",
            ));
        };
        let there = Present::of(store)?;
        let mut known: Vec<(Uuid, String, Option<String>)> = there.all();
        for (id, session_name) in self.spool.keys(Session::TABLE)? {
            if let Ok(id) = Uuid::try_parse(&id) {
                known.push((id, session_name.unwrap_or_default(), None));
            }
        }
        let (phone, push_name) = credentials.account();
        let by_name = known.iter().find(|(id, n, _)| *n == name || id.to_string() == name.to_lowercase());
        let by_phone = || known.iter().find(|(_, _, p)| p.is_some() && p.as_deref() == phone);
        if let Some((id, ..)) = by_name.or_else(|| if named.is_none() { by_phone() } else { None }) {
            return Ok(*id);
        }
        let now = store.env().now();
        let text = |s: Option<&str>, most| s.map(Text::from).filter(|t| t.chars() <= most);
        let session = Session {
            id: store.env().ids.mint(now),
            name: Text::from(name.as_str()),
            status: SessionStatus::Disconnected,
            phone: text(phone, 20),
            push_name: text(push_name, 100),
            config: Json::default(),
            auth_state: None,
            connected_at: None,
            retained_from: None,
            created_at: now,
            updated_at: now,
        };
        session.check()?;
        let row = self.out.render(&session, Some(name.clone()), None, false)?;
        self.spool.put(&row, self.source)?;
        self.spool.know(&session.id.to_string())?;
        self.report.notes.push(format!("the credentials make a new session called {name:?}"));
        Ok(session.id)
    }
}
