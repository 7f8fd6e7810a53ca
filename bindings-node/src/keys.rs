//! The check of API keys for a host that cannot await: the one call that is worth a way of its own.
//!
//! A gateway asks about the same keys all the time, so each key's record becomes a JavaScript object once, not at every
//! question. The library gives the same `Arc` for as long as nobody has changed the database; JavaScript knows it by a
//! number.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use napi::bindgen_prelude::FunctionCallContext;
use openwa_store::entity::ApiKey;
use openwa_store::face::{self, Record};
use openwa_store::policy::authorize::Decision;
use openwa_store::policy::ip;
use openwa_store::policy::permissions::Permission;
use openwa_store::{Ask, Error, Result, Store};

/// Records that are remembered; as many as the library keeps.
const KEPT: usize = 10_000;
/// An answer is the number of the key's record times this, plus the number of the decision.
pub const DECISIONS: u32 = 16;

/// What a request asks for, as JavaScript passes it.
pub struct Question {
    pub key: String,
    pub permission: Option<String>,
    pub ip: Option<String>,
    pub session: Option<String>,
    pub session_alias: Option<String>,
    pub chat: Option<String>,
}

impl Question {
    /// Arguments that are not given at the end ask for nothing.
    pub fn read(asked: &FunctionCallContext<'_>) -> napi::Result<Self> {
        let text = |i| if i < asked.length() { asked.get(i) } else { Ok(None) };
        Ok(Question {
            key: asked.get(0)?,
            permission: text(1)?,
            ip: text(2)?,
            session: text(3)?,
            session_alias: text(4)?,
            chat: text(5)?,
        })
    }
}

/// The records that JavaScript was told of. The address of one is its identity while its `Arc` is held.
#[derive(Default)]
pub struct Keys {
    numbers: RefCell<HashMap<*const ApiKey, u32>>,
    records: RefCell<HashMap<u32, Arc<ApiKey>>>,
    last: Cell<u32>,
    refused: RefCell<Option<Error>>,
}

impl Keys {
    /// The answer; `None`: there is an error to take.
    pub fn answer(&self, store: &Store, question: &Question) -> Option<f64> {
        match self.ask(store, question) {
            Ok((decision, record)) => Some(f64::from(record) * f64::from(DECISIONS) + f64::from(decision)),
            Err(e) => {
                self.refused.replace(Some(e.during("api_keys.authorize")));
                None
            }
        }
    }

    /// Why there was no answer.
    pub fn refused(&self) -> Option<Error> {
        self.refused.take()
    }

    /// The record of a number.
    pub fn record(&self, number: u32) -> Option<Record> {
        self.records.borrow().get(&number).map(|key| face::api_key(key))
    }

    fn ask(&self, store: &Store, question: &Question) -> Result<(u32, u32)> {
        let named = |column: &'static str| move |e: Error| e.with("column", column);
        let permission = question.permission.as_deref().map(Permission::from_str).transpose();
        let ip = question.ip.as_deref().map(ip::parse_address).transpose();
        let ask = Ask {
            permission: permission.map_err(named("permission"))?,
            ip: ip.map_err(named("ip"))?,
            session: question.session.as_deref(),
            session_alias: question.session_alias.as_deref(),
            chat: question.chat.as_deref(),
        };
        let answer = store.api_keys().authorize(&question.key, &ask)?;
        let decision = Decision::ALL.iter().position(|d| *d == answer.decision).unwrap_or_default();
        Ok((decision as u32, answer.api_key.map_or(0, |key| self.number(key))))
    }

    fn number(&self, key: Arc<ApiKey>) -> u32 {
        let (mut numbers, mut records) = (self.numbers.borrow_mut(), self.records.borrow_mut());
        if let Some(number) = numbers.get(&Arc::as_ptr(&key)) {
            return *number;
        }
        if records.len() >= KEPT {
            numbers.clear();
            records.clear();
        }
        let number = self.last.get().wrapping_add(1).max(1);
        self.last.set(number);
        numbers.insert(Arc::as_ptr(&key), number);
        records.insert(number, key);
        number
    }
}
