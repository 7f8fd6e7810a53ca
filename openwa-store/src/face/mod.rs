//! The one description from which every language binding is made: each public verb of the store, the shapes of what
//! goes in and out, and a way to run a verb on values that carry their type with them.
//!
//! C functions, TypeScript types, Python stubs and their documentation derive from [`VERBS`]. To add a verb, add one
//! entry to its group in this folder; its documentation is that of the method it runs (`BLESS=1 cargo test face`
//! copies it).

mod call;
mod docs;
mod inputs;
mod open;
mod outputs;
mod reach;
#[cfg(test)]
mod tests;
mod verbs;

pub use call::{Call, OnProgress, PendingValue, Progress, Rows, TicketValue, iterate};
pub use open::{config, open, open_options};
pub use outputs::{api_key, failure};
pub use reach::{enums, shapes};

#[doc(hidden)]
pub use crate::fork::Lazy;
pub use crate::record::{EnumDef, Field, Page, Record, Shape, Type, Value};

use crate::error::{Error, Kind, Result};
use crate::store::Store;
use call::Run;

/// How a verb runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerbKind {
    /// A rule: needs no store, and neither waits nor blocks.
    Pure,
    /// Reads: runs on the caller's thread.
    Read,
    /// Writes: shares a commit with others, may be waited for or awaited.
    Write,
    /// May take minutes: tells its progress and can be stopped.
    Long,
}

/// One public verb.
#[derive(Clone, Copy)]
pub struct Verb {
    /// The group it belongs to: `messages`, `api_keys`, `store`, `policy` …
    pub group: &'static str,
    /// Its name within the group.
    pub name: &'static str,
    /// `group.name`, as errors name the operation.
    pub path: &'static str,
    /// What it does, for people; in the words of the Rust documentation.
    pub doc: &'static str,
    /// What it takes, in order. A record that need not be given holds the optional many.
    pub params: &'static [Field],
    /// What it answers.
    pub result: Type,
    /// It may answer nothing: [`Value::Null`].
    pub nullable: bool,
    pub(crate) run: Run,
}

impl Verb {
    /// How the verb runs.
    #[must_use]
    pub const fn kind(&self) -> VerbKind {
        match self.run {
            Run::Pure(_) => VerbKind::Pure,
            Run::Read(_) | Run::Page(_) => VerbKind::Read,
            Run::Write(_) => VerbKind::Write,
            Run::Long(_) => VerbKind::Long,
        }
    }

    /// Takes the arguments, in the order of [`params`](Self::params), and prepares the call; nothing has happened yet.
    /// Arguments at the end may be left out like absent ones.
    ///
    /// # Errors
    /// `InvalidArgument` naming the argument, or the field in it.
    pub fn call(&self, store: &Store, args: Vec<Value>) -> Result<Call> {
        let args = self.check(args)?;
        let call = match self.run {
            Run::Pure(run) => run(args).map(|value| Call::Read(Box::new(|| Ok(value)))),
            Run::Read(run) => run(store.clone(), args).map(Call::Read),
            Run::Page(run) => {
                run(store.clone(), args).map(|read| Call::Read(Box::new(|| read().map(Value::from))))
            }
            Run::Write(run) => run(store, args).map(Call::Write),
            Run::Long(run) => run(store.clone(), args).map(Call::Long),
        };
        call.map_err(|e| e.during(self.path))
    }

    /// Runs a rule.
    ///
    /// # Errors
    /// What the rule documents, `InvalidArgument` naming the argument, and `Unsupported` for a verb that needs a store.
    pub fn call_pure(&self, args: Vec<Value>) -> Result<Value> {
        let Run::Pure(run) = self.run else {
            return Err(Error::new(Kind::Unsupported, format!("{} needs a store", self.path)));
        };
        run(self.check(args)?).map_err(|e| e.during(self.path))
    }

    /// Reads a page for a caller that looks at one row after the other.
    ///
    /// # Errors
    /// What the verb documents, `InvalidArgument` naming the argument, and `Unsupported` for a verb that answers something
    /// else.
    pub fn page(&self, store: &Store, args: Vec<Value>) -> Result<Rows> {
        let Run::Page(run) = self.run else {
            return Err(Error::new(Kind::Unsupported, format!("{} does not answer a page", self.path)));
        };
        let read = self.check(args).and_then(|args| run(store.clone(), args));
        read.map_err(|e| e.during(self.path))?()
    }

    fn check(&self, args: Vec<Value>) -> Result<std::vec::IntoIter<Value>> {
        if args.len() > self.params.len() {
            let text = format!("{} takes {} arguments, not {}", self.path, self.params.len(), args.len());
            return Err(Error::new(Kind::InvalidArgument, text).during(self.path));
        }
        Ok(args.into_iter())
    }
}

impl std::fmt::Debug for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verb({})", self.path)
    }
}

/// A documentation text as other languages show it: without the links of Rust, and with its errors in one form,
/// `Errors: …`. Names in backquotes stay.
#[must_use]
pub fn prose(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().map(str::trim).collect();
    let mut text = lines.join("\n").replace("# Errors\n", "Errors: ");
    for word in ["Those", "What", "As"] {
        text = text.replace(&format!("Errors: {word} "), &format!("Errors: {} ", word.to_lowercase()));
    }
    // [`name`](path) and [`path::name`]
    while let Some(start) = text.find("[`") {
        let Some(close) = text[start..].find("`]").map(|i| start + i) else { break };
        let name = text[start + 2..close].rsplit("::").next().unwrap_or_default().to_owned();
        let after = close + 2;
        let end = match text[after..].strip_prefix('(').and_then(|rest| rest.find(')')) {
            Some(i) => after + i + 2,
            None => after,
        };
        text.replace_range(start..end, &format!("`{name}`"));
    }
    text
}

/// Every verb, group by group.
pub const VERBS: &[Verb] = &ALL;

static ALL: [Verb; verbs::count()] = verbs::all();

/// One verb by group and name.
#[must_use]
pub fn find(group: &str, name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|v| v.group == group && v.name == name)
}
