use crate::entity::Message;
use crate::{MessageFilter, Store, Text, Timestamp};
use clap::{Args, ValueEnum};
use uuid::Uuid;

use super::exit::{Exit, Result};
use super::options::{self, Options};
use super::output::Output;
use super::pages::{self, Paging};
use super::table::{Column, Table};

/// List the messages of a session, filtered, a page at a time or all
///
/// Times are written like 2026-01-05T08:01:23Z, 2026-01-05 08:01+02:00, or 2026-01-05; without a zone they mean UTC.
#[derive(Args)]
pub struct Messages {
    /// Name or id of the session
    session: String,

    /// Only this chat, by any of its addresses
    #[arg(long, value_name = "ADDRESS")]
    chat: Option<String>,

    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,

    /// Only before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,

    /// Only this type: text, image, ciphertext …
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,

    /// Only what the account itself wrote
    #[arg(long, conflicts_with = "incoming")]
    from_me: bool,

    /// Only what others wrote
    #[arg(long)]
    incoming: bool,

    /// Only those that contain this text; ASCII letters match in either case
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,

    /// Which comes first
    #[arg(long, value_enum, default_value_t = Order::Newest)]
    order: Order,

    /// Every message that matches, streamed (with --json: one document per line)
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    all: bool,

    #[command(flatten)]
    paging: Paging,
}

#[derive(Clone, Copy, ValueEnum)]
enum Order {
    Newest,
    Oldest,
}

const COLUMNS: &[Column] = &[
    Column::Left("TIME"),
    Column::Left("CHAT"),
    Column::Left("FROM"),
    Column::Left("TYPE"),
    Column::Right("ACK"),
    Column::Left("TEXT"),
];

/// Rows of a stream that are aligned with one another.
const ROWS_AT_ONCE: usize = 500;

impl Messages {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        let session = options::session(&store, &self.session)?.id;
        if self.all {
            return self.stream(&store, session, out);
        }
        let page = store.messages().list(session, &self.filter(), &self.paging.request())?;
        if out.is_json() {
            out.json(&pages::document(&page, Message::to_json))?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new(COLUMNS);
        page.items.iter().for_each(|message| table.row(cells(message)));
        out.table(&table)?;
        if let Some(footer) = pages::footer(&page) {
            out.line(footer)?;
        }
        Ok(Exit::Done)
    }

    fn stream(&self, store: &Store, session: Uuid, out: &mut Output) -> Result<Exit> {
        let mut table = Table::new(COLUMNS);
        for (i, message) in store.messages().iterate(session, self.filter()).enumerate() {
            let message = message?;
            if out.is_json() {
                out.json(&message.to_json())?;
                continue;
            }
            table.row(cells(&message));
            if (i + 1) % ROWS_AT_ONCE == 0 {
                out.table(&std::mem::replace(&mut table, Table::new(COLUMNS)))?;
            }
        }
        if !table.is_empty() {
            out.table(&table)?;
        }
        Ok(Exit::Done)
    }

    fn filter(&self) -> MessageFilter {
        let text = |s: &Option<String>| s.as_deref().map(Text::from);
        MessageFilter {
            chat: text(&self.chat),
            from: self.from,
            until: self.until,
            r#type: text(&self.kind),
            from_me: (self.from_me || self.incoming).then_some(self.from_me),
            text: text(&self.text),
            order: match self.order {
                Order::Newest => crate::Order::Newest,
                Order::Oldest => crate::Order::Oldest,
            },
        }
    }
}

fn cells(message: &Message) -> [String; 6] {
    let body = match (&message.body, message.revoked_at, message.edited_at) {
        (_, Some(_), _) => "(deleted)".to_owned(),
        (Some(body), _, Some(_)) => format!("{body} (edited)"),
        (Some(body), _, None) => body.to_string(),
        (None, ..) => String::new(),
    };
    [
        message.wa_timestamp.to_string(),
        message.chat_id.to_string(),
        if message.from_me { "me".to_owned() } else { message.from_number.to_string() },
        message.r#type.to_string(),
        message.ack.map(|ack| ack.to_string()).unwrap_or_default(),
        body,
    ]
}
