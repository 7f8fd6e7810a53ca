use crate::entity::{Session, SessionStatus};
use crate::{SessionFilter, Timestamp};
use clap::{Args, Subcommand};

use super::exit::{Exit, Result};
use super::json::Object;
use super::options::{self, Options};
use super::output::Output;
use super::pages::{self, Paging};
use super::summary::Summary;
use super::table::{Column, Table};

/// List sessions, or show one
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Sessions {
    #[command(subcommand)]
    what: Option<What>,

    #[command(flatten)]
    list: List,
}

#[derive(Subcommand)]
enum What {
    /// List the sessions, in the order of their creation
    List(List),
    /// Show one session and what the store has of it
    Show(Show),
}

#[derive(Args)]
struct List {
    /// Only those in this status: created, initializing, qr_ready, authenticating, ready, disconnected, failed
    #[arg(long)]
    status: Option<SessionStatus>,

    #[command(flatten)]
    paging: Paging,
}

#[derive(Args)]
struct Show {
    /// Name or id of the session
    session: String,
}

const COLUMNS: &[Column] = &[
    Column::Left("NAME"),
    Column::Left("STATUS"),
    Column::Left("PHONE"),
    Column::Left("CONNECTED"),
    Column::Left("ID"),
    Column::Left("SHOWN AS"),
];

impl Sessions {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        match &self.what {
            None => self.list.run(options, out),
            Some(What::List(list)) => list.run(options, out),
            Some(What::Show(show)) => show.run(options, out),
        }
    }
}

impl List {
    fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        let filter = SessionFilter { status: self.status, phone: None };
        let page = store.sessions().list(&filter, &self.paging.request())?;
        if out.is_json() {
            out.json(&pages::document(&page, Session::to_json))?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new(COLUMNS);
        for session in &page.items {
            table.row([
                session.name.to_string(),
                session.status.to_string(),
                text(session.phone.as_ref()),
                time(session.connected_at),
                session.id.to_string(),
                text(session.push_name.as_ref()),
            ]);
        }
        out.table(&table)?;
        if let Some(footer) = pages::footer(&page) {
            out.line(footer)?;
        }
        Ok(Exit::Done)
    }
}

impl Show {
    fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        let session = options::session(&store, &self.session)?;
        let summary = Summary::of(&store, session.id)?;
        if out.is_json() {
            let whole = Object::new().put("session", session.to_json()).put("has", summary.document());
            out.json(&whole.done())?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new(&[Column::Left("SESSION"), Column::Left("")]);
        table.row(["name".into(), session.name.to_string()]);
        table.row(["id".into(), session.id.to_string()]);
        table.row(["status".into(), session.status.to_string()]);
        table.row(["phone".into(), text(session.phone.as_ref())]);
        table.row(["shown as".into(), text(session.push_name.as_ref())]);
        table.row(["created".into(), session.created_at.to_string()]);
        table.row(["connected".into(), time(session.connected_at)]);
        table.row(["messages".into(), summary.messages.to_string()]);
        table.row(["chats".into(), summary.chats.to_string()]);
        table.row(["contacts".into(), summary.contacts.to_string()]);
        table.row(["LID-phone pairs".into(), summary.pairs.to_string()]);
        table.row(["waiting changes".into(), summary.waiting.to_string()]);
        out.table(&table)?;
        Ok(Exit::Done)
    }
}

fn text(text: Option<&crate::Text>) -> String {
    text.map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |t| t.to_string())
}
