use crate::{Store, Text};
use clap::Args;
use serde_json::json;

use super::exit::{Exit, Result};
use super::json::Object;
use super::options::{Options, opened};
use super::output::Output;
use crate::entity::Database;

/// Make a new store, or bring an old one to this version
///
/// Does nothing to a store that is there already. Folder and databases are readable by their owner only.
#[derive(Args)]
pub struct Init {}

impl Init {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let config = options.store_config()?;
        let store = opened(|| Store::open_with(config))?;
        let (main, data) = (store.database(Database::Main).shown(), store.database(Database::Data).shown());
        store.close()?;
        if out.is_json() {
            let text = |s: &str| json!(Text::from(s).as_stored());
            out.json(&Object::new().put("main", text(&main)).put("data", text(&data)).done())?;
        } else {
            out.line(format_args!("The store is ready.\n  main: {main}\n  data: {data}"))?;
        }
        Ok(Exit::Done)
    }
}
