//! Checking what is stored, and repairing what can be repaired without losing anything.
//!
//! Each file asks one kind of question. A question is one statement, so that its answer is of one moment although others
//! write; what it finds is counted, with one example, so that memory does not grow with the damage.

mod counters;
mod findings;
mod ids;
mod pages;
mod reactions;
mod references;
mod repair;
mod values;

pub use findings::{CheckReport, Finding, FindingKind, RepairOptions, RepairReport, Repaired};
pub(crate) use repair::repair;

use std::ops::ControlFlow;

use crate::db::Conn;
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use crate::text::Text;
use crate::transfer::{OnProgress, Progress};
use crate::value::{Row, Value};

/// Everything that is wrong.
pub(crate) fn check(store: &Store, progress: OnProgress<'_>) -> Result<Vec<Finding>> {
    let mut checker = Checker { store, progress, findings: Vec::new() };
    for which in [Database::Main, Database::Data] {
        pages::check(&mut checker, which)?;
        references::check(&mut checker, which)?;
        if which == Database::Data {
            counters::check(&mut checker)?;
            ids::check(&mut checker)?;
            reactions::check(&mut checker)?;
        }
        values::check(&mut checker, which)?;
    }
    let mut findings = checker.findings;
    findings::protect_damaged_files(&mut findings);
    Ok(findings)
}

/// A check under way.
struct Checker<'a, 'b> {
    store: &'a Store,
    progress: OnProgress<'b>,
    findings: Vec<Finding>,
}

impl Checker<'_, '_> {
    /// Asks one question. `None`: it cannot be answered because the file is damaged there, which is noted.
    fn ask<T: Send>(
        &mut self,
        which: Database,
        table: &'static str,
        question: impl FnOnce(&dyn Conn) -> Result<T> + Send,
    ) -> Result<Option<T>> {
        self.ask_on(which, table, 0, question)
    }

    /// Asks one question after `rows` rows of the table.
    fn ask_on<T: Send>(
        &mut self,
        which: Database,
        table: &'static str,
        rows: u64,
        question: impl FnOnce(&dyn Conn) -> Result<T> + Send,
    ) -> Result<Option<T>> {
        let at = Progress { table, rows, total: None };
        let mut go_on = || self.progress.as_mut().map_or(ControlFlow::Continue(()), |tell| tell(at));
        if go_on().is_break() {
            return Err(Error::new(Kind::Cancelled, "stopped on request").with("table", table));
        }
        match self.store.database(which).long_read(question, &mut go_on) {
            Ok(answer) => Ok(Some(answer)),
            Err(e) if e.kind() == Kind::Corrupt => {
                let told = e.context("sqlite").unwrap_or(e.message()).to_owned();
                self.find(Finding::damaged(which, table, &told));
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Notes what is wrong; the same thing once.
    fn find(&mut self, finding: Finding) {
        if finding.count > 0 && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// A question about Data whose one row is a number of rows and an example.
    fn count(&mut self, table: &'static str, sql: &str, params: &[Value<'_>]) -> Result<Option<Counted>> {
        self.ask(Database::Data, table, |conn| {
            Ok(conn.first(sql, params, |row| Ok(counted(row, 0)))?.unwrap_or_default())
        })
    }
}

/// How many rows, and the key of one of them.
#[derive(Default)]
struct Counted {
    count: u64,
    example: Option<Text>,
}

impl Counted {
    /// One more, met one by one.
    fn add(&mut self, example: impl FnOnce() -> Option<Text>) {
        self.count += 1;
        if self.count == 1 {
            self.example = example();
        }
    }
}

fn counted(row: &dyn Row, at: usize) -> Counted {
    let count = if let Value::Int(n) = row.get(at) { u64::try_from(n).unwrap_or(0) } else { 0 };
    Counted { count, example: text(row.get(at + 1)) }
}

/// A value as people read it; `None`: it is null.
fn text(value: Value<'_>) -> Option<Text> {
    match value {
        Value::Null => None,
        Value::Text(s) => Some(Text::from_stored(s)),
        Value::Int(n) => Some(n.to_string().into()),
        Value::Uuid(id) => Some(id.to_string().into()),
        Value::Time(t) => Some(t.to_string().into()),
        Value::Bytes(b) => Some(String::from_utf8_lossy(b).into_owned().into()),
        other => Some(format!("{other:?}").into()),
    }
}
