use std::io::BufRead;
use std::net::IpAddr;

use crate::entity::ApiKey;
use crate::policy::permissions::Permission;
use crate::{Ask, Json, NewApiKey, NewWhitelistEntry, Store, Text, Timestamp};
use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::{Exit, Failure, Result};
use super::input;
use super::json::Object;
use super::options::{self, Options};
use super::output::Output;
use super::pages::{self, Paging};
use super::table::{Column, Table};
use super::target::{refuse_unseen, show_once};

/// Create, list, revoke and check API keys
#[derive(Subcommand)]
pub enum Keys {
    /// Create a key and show it, this once
    Create(Create),
    /// List the keys, in the order of their creation
    List(List),
    /// Switch a key off for good
    Revoke(Revoke),
    /// Say whether a request with a key may go on (exit code 0), or why not (4)
    Check(Check),
}

#[derive(Args)]
pub struct Create {
    /// What people call the key
    #[arg(long)]
    name: String,

    /// What it may do: sessions:read, messages:send …; again for more [default: *, everything]
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<Permission>,

    /// A session that it may use, by name or id; again for more [default: all]
    #[arg(long = "session", value_name = "SESSION")]
    sessions: Vec<String>,

    /// A chat that it may use; again for more [default: all]
    #[arg(long = "chat", value_name = "ADDRESS")]
    chats: Vec<String>,

    /// An address or network from which it may be used; again for more [default: any]
    #[arg(long = "allow-ip", value_name = "ADDRESS")]
    addresses: Vec<String>,

    /// When it stops working [default: never]
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
}

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    paging: Paging,
}

#[derive(Args)]
pub struct Revoke {
    /// Id, name or first characters of the key
    key: String,

    /// Even if no usable key with full access is left
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub struct Check {
    /// The key; - reads it from standard input, where no other user can see it
    key: String,

    /// What the request needs, for instance messages:send
    #[arg(long)]
    permission: Option<Permission>,

    /// Address of the client
    #[arg(long)]
    ip: Option<IpAddr>,

    /// Name or id of the session it is about
    #[arg(long)]
    session: Option<String>,

    /// Address of the chat it is about
    #[arg(long)]
    chat: Option<String>,
}

const COLUMNS: &[Column] = &[
    Column::Left("NAME"),
    Column::Left("KEY"),
    Column::Left("ACTIVE"),
    Column::Left("EXPIRES"),
    Column::Right("USES"),
    Column::Left("LAST USED"),
    Column::Left("ID"),
    Column::Left("PERMISSIONS"),
];

impl Keys {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        match self {
            Keys::Create(create) => create.run(&store, out),
            Keys::List(list) => list.run(&store, out),
            Keys::Revoke(revoke) => revoke.run(&store, out),
            Keys::Check(check) => check.run(&store, out),
        }
    }
}

/// A JSON array of names; `None` for an empty one, which here means "all".
fn names<T>(names: &[T], stored: impl Fn(&T) -> String) -> Option<Json> {
    (!names.is_empty()).then(|| Json::from(json!(names.iter().map(stored).collect::<Vec<_>>())))
}

impl Create {
    fn run(&self, store: &Store, out: &mut Output) -> Result<Exit> {
        let text = |s: &String| Text::from(s).as_stored().to_owned();
        let new = NewApiKey {
            name: Text::from(&self.name),
            permissions: names(&self.permissions, |p| p.name().to_owned()),
            allowed_sessions: names(&self.sessions, text),
            allowed_chats: names(&self.chats, text),
            expires_at: self.expires,
        };
        let entries: Vec<NewWhitelistEntry> =
            self.addresses.iter().map(|address| whitelist_entry(address)).collect();
        refuse_unseen()?;
        let made = store.api_keys().create(new).wait()?;
        for entry in entries {
            if let Err(e) = store.api_keys().allow_address(made.api_key.id, entry).wait() {
                // A key with half of its whitelist would be open to fewer or to all; none is better.
                store.api_keys().delete(made.api_key.id, true).wait()?;
                return Err(e.into());
            }
        }
        let shown = show_once(out, |out| {
            if out.is_json() {
                let whole = Object::new().put("key", json!(made.key)).put("api_key", made.api_key.to_json());
                return out.json(&whole.done());
            }
            out.line(&made.key)?;
            out.line(format_args!(
                "\nThis is the only time the key is shown. Its record: {} {}",
                made.api_key.id, made.api_key.name
            ))
        });
        if shown.is_err() {
            store.api_keys().delete(made.api_key.id, true).wait()?;
        }
        shown.map(|()| Exit::Done)
    }
}

/// A network (`10.0.0.0/8`) has its own column beside the address.
fn whitelist_entry(address: &str) -> NewWhitelistEntry {
    let (ip, range) = address.split_once('/').map_or((address, None), |(ip, _)| (ip, Some(address.into())));
    NewWhitelistEntry { ip_address: ip.into(), cidr_range: range, ..NewWhitelistEntry::default() }
}

impl List {
    fn run(&self, store: &Store, out: &mut Output) -> Result<Exit> {
        let page = store.api_keys().list(&self.paging.request())?;
        if out.is_json() {
            out.json(&pages::document(&page, ApiKey::to_json))?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new(COLUMNS);
        let time = |t: Option<Timestamp>| t.map_or_else(|| "-".to_owned(), |t| t.to_string());
        for key in &page.items {
            table.row([
                key.name.to_string(),
                format!("{}…", key.key_prefix),
                if key.active { "yes" } else { "no" }.to_owned(),
                time(key.expires_at),
                key.usage_count.to_string(),
                time(key.last_used_at),
                key.id.to_string(),
                key.permissions.to_string(),
            ]);
        }
        out.table(&table)?;
        if let Some(footer) = pages::footer(&page) {
            out.line(footer)?;
        }
        Ok(Exit::Done)
    }
}

impl Revoke {
    fn run(&self, store: &Store, out: &mut Output) -> Result<Exit> {
        let key = store.api_keys().revoke(self.find(store)?.id, self.force).wait()?;
        if out.is_json() {
            out.json(&key.to_json())?;
        } else {
            out.line(format_args!("Revoked: {} ({}…)", key.name, key.key_prefix))?;
        }
        Ok(Exit::Done)
    }

    /// The one key that is meant.
    fn find(&self, store: &Store) -> Result<ApiKey> {
        let mut found = Vec::new();
        pages::every(
            |page| store.api_keys().list(page),
            |key| {
                let prefix = key.key_prefix.as_stored();
                let is_start =
                    self.key.len() >= 10 && (prefix.starts_with(&self.key) || self.key.starts_with(prefix));
                if key.id.to_string() == self.key || key.name == self.key.as_str() || is_start {
                    found.push(key);
                }
            },
        )?;
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Failure::not_found(
                format!("no key {:?}", self.key),
                "`openwa keys list` shows the keys of the store",
            )),
            n => Err(Failure::usage(format!("{n} keys are meant by {:?}", self.key), "give the key's id")),
        }
    }
}

impl Check {
    fn run(&self, store: &Store, out: &mut Output) -> Result<Exit> {
        let mut from_input = String::new();
        let key = if self.key == "-" {
            input::standard()?.read_line(&mut from_input)?;
            from_input.trim()
        } else {
            &self.key
        };
        let alias = self.session.as_deref().and_then(|s| other_designation(store, s));
        let ask = Ask {
            permission: self.permission,
            ip: self.ip,
            session: self.session.as_deref(),
            session_alias: alias.as_deref(),
            chat: self.chat.as_deref(),
        };
        let answer = store.api_keys().authorize(key, &ask)?;
        let name = answer.api_key.as_ref().map(|key| key.name.clone());
        if out.is_json() {
            let whole = Object::new()
                .put("allowed", json!(answer.is_allowed()))
                .put("decision", json!(answer.decision.name()))
                .put("name", json!(name.as_ref().map(Text::as_stored)));
            out.json(&whole.done())?;
        } else {
            let verdict = if answer.is_allowed() {
                "allowed".to_owned()
            } else {
                format!("denied: {}", answer.decision)
            };
            let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
            out.line(format_args!("{verdict}{name}"))?;
        }
        store.close()?;
        Ok(if answer.is_allowed() { Exit::Done } else { Exit::Refused })
    }
}

/// The name of a session given by its id, or the id of one given by its name: a key may be confined by either.
fn other_designation(store: &Store, wanted: &str) -> Option<String> {
    let session = options::session(store, wanted).ok()?;
    let (id, name) = (session.id.to_string(), session.name.to_string());
    Some(if id == wanted { name } else { id })
}
