//! Pages of long lists.

use crate::{Json, Page, PageRequest};
use clap::Args;
use serde_json::json;

use super::json::{Object, array};

/// Which page.
#[derive(Args)]
pub struct Paging {
    /// Rows of the page, 1 to 1000
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: u32,

    /// Go on behind this cursor, which the page before ended with
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
}

impl Paging {
    pub fn request(&self) -> PageRequest {
        PageRequest { limit: Some(self.limit), after: self.after.clone() }
    }
}

/// A page for programs: its rows, and the cursor of the next one.
pub fn document<T>(page: &Page<T>, row: impl Fn(&T) -> Json) -> Json {
    Object::new().put("items", array(page.items.iter().map(row))).put("next", json!(page.next)).done()
}

/// What a page for people ends with.
pub fn footer<T>(page: &Page<T>) -> Option<String> {
    page.next.as_ref().map(|cursor| format!("\nThere is more: add --after {cursor}"))
}

/// Every row of a list, a thousand at a time.
pub fn every<T>(
    mut list: impl FnMut(&PageRequest) -> crate::Result<Page<T>>,
    mut each: impl FnMut(T),
) -> crate::Result<()> {
    let mut request = PageRequest { limit: Some(1000), after: None };
    loop {
        let page = list(&request)?;
        page.items.into_iter().for_each(&mut each);
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(()),
        }
    }
}
