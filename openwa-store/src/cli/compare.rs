use std::path::PathBuf;

use crate::{Difference, Differing, Json, MAX_DIFFERENCES, Text};
use clap::Args;
use serde_json::json;

use super::exit::{Exit, Result};
use super::json::{Object, array};
use super::options::Options;
use super::output::Output;
use super::table::{Column, Table};

/// Compare two stores row by row (exit code 1 if they differ)
#[derive(Args)]
pub struct Compare {
    /// Folder of the other store
    other: PathBuf,
}

impl Compare {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let (one, other) = (options.open()?, options.open_at(&self.other)?);
        let found = crate::compare(&one, &other)?;
        let exit = if found.is_empty() { Exit::Done } else { Exit::Failed };
        if out.is_json() {
            let same = json!(found.is_empty());
            let differences = array(found.iter().map(document));
            out.json(&Object::new().put("same", same).put("differences", differences).done())?;
            return Ok(exit);
        }
        if found.is_empty() {
            let rows: u64 = one.status()?.databases.iter().flat_map(|d| &d.rows).map(|(_, n)| n).sum();
            out.line(format_args!("The same: all {} rows of both stores.", indicatif::HumanCount(rows)))?;
            return Ok(exit);
        }
        let mut table = Table::new(&[Column::Left("TABLE"), Column::Left("ROW"), Column::Left("DIFFERENCE")]);
        for difference in &found {
            table.row([difference.table.to_owned(), difference.key.clone(), what(difference)]);
        }
        out.table(&table)?;
        if found.len() >= MAX_DIFFERENCES {
            out.line(format_args!("\nThere may be more: the comparison stops after {MAX_DIFFERENCES}."))?;
        }
        Ok(exit)
    }
}

fn what(difference: &Difference) -> String {
    match &difference.what {
        Differing::OnlyInFirst => "only in the first".to_owned(),
        Differing::OnlyInSecond => "only in the second".to_owned(),
        Differing::Columns(columns) => columns.join(", "),
    }
}

fn document(difference: &Difference) -> Json {
    let columns = match &difference.what {
        Differing::Columns(columns) => columns.as_slice(),
        _ => &[],
    };
    let only_in = match difference.what {
        Differing::OnlyInFirst => Some("first"),
        Differing::OnlyInSecond => Some("second"),
        Differing::Columns(_) => None,
    };
    Object::new()
        .put("table", json!(difference.table))
        .put("row", json!(Text::from_stored(&difference.key).as_stored()))
        .put("only_in", json!(only_in))
        .put("columns", json!(columns))
        .done()
}
