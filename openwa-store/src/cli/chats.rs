use crate::{Chat, Json};
use clap::Args;
use serde_json::json;

use super::exit::{Exit, Result};
use super::json::Object;
use super::options::{self, Options};
use super::output::Output;
use super::pages::{self, Paging};
use super::table::{Column, Table};

/// List the chats of a session, the one with the newest message first
#[derive(Args)]
pub struct Chats {
    /// Name or id of the session
    session: String,

    #[command(flatten)]
    paging: Paging,
}

const COLUMNS: &[Column] = &[
    Column::Left("CHAT"),
    Column::Left("NAME"),
    Column::Right("UNREAD"),
    Column::Left("LAST"),
    Column::Left("TYPE"),
    Column::Left("TEXT"),
];

impl Chats {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        let session = options::session(&store, &self.session)?;
        let page = store.messages().chats(session.id, &self.paging.request())?;
        if out.is_json() {
            out.json(&pages::document(&page, document))?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new(COLUMNS);
        for chat in &page.items {
            let last = &chat.last_message;
            table.row([
                chat.chat_id.to_string(),
                chat.name.as_ref().map(ToString::to_string).unwrap_or_default(),
                chat.unread.to_string(),
                last.wa_timestamp.to_string(),
                last.r#type.to_string(),
                last.body.as_ref().map(ToString::to_string).unwrap_or_default(),
            ]);
        }
        out.table(&table)?;
        if let Some(footer) = pages::footer(&page) {
            out.line(footer)?;
        }
        Ok(Exit::Done)
    }
}

fn document(chat: &Chat) -> Json {
    Object::new()
        .put("chat_id", json!(chat.chat_id.as_stored()))
        .put("name", json!(chat.name.as_ref().map(crate::Text::as_stored)))
        .put("is_group", json!(chat.is_group))
        .put("unread", json!(chat.unread))
        .put("last_message", chat.last_message.to_json())
        .done()
}
