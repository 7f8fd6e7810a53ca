//! Takeovers as they are used: planned, repeated, stopped, read, and taken back.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::BTreeMap;

use openwa_store::{
    Kind, MessageFilter, PageRequest, Store, TakeoverOptions, TakeoverPhase, TakeoverProgress, compare,
};
use openwa_tests::openwa::{self, fixture, rows, source, tables, take, unpacked};
use openwa_tests::postgres::{Place, Way};
use serde_json::Value;

fn empty() -> Store {
    Store::in_memory().unwrap()
}

#[test]
fn a_second_run_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = unpacked("openwa.sqlite.gz", dir.path());
    let store = empty();
    take(&store, &[&fixture("main.sqlite"), &data]).unwrap();
    let before = tables(&store);
    let again = take(&store, &[&fixture("main.sqlite"), &data]).unwrap();
    assert!(again.written.iter().all(|w| w.inserted == 0), "{:?}", again.written);
    assert_eq!(tables(&store), before);
}

#[test]
fn a_plan_reads_everything_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = source(&unpacked("openwa.sqlite.gz", dir.path()));
    let store = empty();
    let before = tables(&store);
    let plan = TakeoverOptions { plan: true, ..TakeoverOptions::default() };
    let report = store.takeover(&[source(&fixture("main.sqlite")), data], &plan, None).unwrap();
    assert_eq!(tables(&store), before);
    assert!(report.written.is_empty() && report.plan);
    let messages = report.tables.iter().find(|t| t.table == "messages").unwrap();
    assert_eq!((messages.rows, messages.mapped, messages.bad), (3000, 3000, 0));
    assert_eq!(messages.to, ["messages"]);
    assert!(messages.extra_columns.iter().any(|c| c == "chatName"), "{:?}", messages.extra_columns);
}

/// Takeover, export in OpenWA's format, takeover of that into an empty store: the same rows.
#[test]
fn the_way_back_and_in_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = unpacked("openwa.sqlite.gz", dir.path());
    let server = Place::migrated(Way::Partitioned);
    let on_server = Store::open_with(server.config(&dir.path().join("server"))).unwrap();
    for (path, first) in [
        (&data, empty()),
        (&fixture("export-postgres.json.gz"), empty()),
        (&fixture("export-0.2-sqlite.json.gz"), empty()),
        (&data, on_server),
    ] {
        let second = empty();
        take(&first, &[path]).unwrap();
        for name in ["back.json", "back.json.zst"] {
            let back = dir.path().join(name);
            first.export_openwa_file(&back, None).unwrap();
            take(&second, &[&back]).unwrap();
            assert_eq!(compare(&first, &second).unwrap(), vec![], "{}", path.display());
        }
    }
}

/// Row by row and column by column, what went in comes out, up to the forms that both mean the same.
#[test]
fn the_way_back_gives_what_was_there() {
    let store = empty();
    take(&store, &[&fixture("export-postgres.json.gz")]).unwrap();
    let mut back = Vec::new();
    store.export_openwa(&mut back, None).unwrap();
    let back: Value = serde_json::from_slice(&back).unwrap();
    let was: Value = openwa::json("export-postgres.json.gz");
    assert_eq!(back["counts"], was["counts"]);
    for (table, rows) in was["tables"].as_object().unwrap() {
        let key = |row: &Value| match table.as_str() {
            "chatStates" => format!("{}{}", row["sessionId"], row["chatId"]),
            "lidMappings" => row["lid"].to_string(),
            _ => row["id"].to_string(),
        };
        let by_key: BTreeMap<String, &Value> =
            back["tables"][table].as_array().unwrap().iter().map(|r| (key(r), r)).collect();
        for row in rows.as_array().unwrap() {
            let now = by_key[&key(row)];
            for (column, value) in row.as_object().unwrap() {
                let found = now.get(column).unwrap_or(&Value::Null);
                assert_eq!(meaning(found), meaning(value), "{table} {} {column}", key(row));
            }
        }
    }
}

#[test]
fn progress_is_told_and_can_stop_it() {
    let store = empty();
    let before = tables(&store);
    let path = [source(&fixture("export-sqlite.json.gz"))];
    let mut seen: Vec<TakeoverProgress> = Vec::new();
    let all = store.takeover(
        &path,
        &TakeoverOptions::default(),
        Some(&mut |p: &TakeoverProgress| {
            seen.push(p.clone());
            if p.phase == TakeoverPhase::Write && p.rows > 1000 {
                return std::ops::ControlFlow::Break(());
            }
            std::ops::ControlFlow::Continue(())
        }),
    );
    assert_eq!(all.unwrap_err().kind(), Kind::Cancelled);
    assert_eq!(tables(&store), before, "nothing is kept of it");
    let reading = seen.iter().rfind(|p| p.phase == TakeoverPhase::Read && p.rows >= 2000).unwrap();
    assert!(reading.total.is_some_and(|total| reading.done > 0 && reading.done <= total), "{reading:?}");
    assert!(seen.iter().any(|p| p.phase == TakeoverPhase::Write && p.total.is_some_and(|t| t > 5000)));
}

/// A chat is found by any of its addresses, also together with what comes in later under the one that is used here.
#[test]
fn chats_are_read_by_any_address() {
    let server = Place::migrated(Way::Partitioned);
    let dir = tempfile::tempdir().unwrap();
    for store in [empty(), Store::open_with(server.config(dir.path())).unwrap()] {
        take(&store, &[&fixture("export-sqlite.json.gz")]).unwrap();
        let session = store.sessions().find("shop-main").unwrap().unwrap().id;
        let all = tables(&store);
        let pair = &rows(&all, "identities").iter().find(|p| p["session_id"] == session.to_string()).unwrap();
        let (lid, pn) = (pair["lid"].as_str().unwrap(), pair["pn"].as_str().unwrap());
        let old = pn.replace("s.whatsapp.net", "c.us");
        let stored = rows(&all, "messages").iter().filter(|m| {
            let chat = m["chat_id"].as_str().unwrap();
            m["session_id"] == session.to_string() && (chat == lid || chat == pn || chat == old)
        });
        let stored = stored.count();
        assert!(stored > 0);
        let new = openwa_store::NewMessage {
            wa_message_id: Some("3EB0NEW".into()),
            chat_id: pn.into(),
            from_number: pn.into(),
            r#type: "text".into(),
            ..Default::default()
        };
        store.messages().save(session, new).wait().unwrap();
        for address in [lid, pn, old.as_str()] {
            let filter = MessageFilter { chat: Some(address.into()), ..MessageFilter::default() };
            let mut ids = std::collections::HashSet::new();
            let mut request = PageRequest { limit: Some(7), ..PageRequest::default() };
            loop {
                let page = store.messages().list(session, &filter, &request).unwrap();
                assert!(page.items.is_sorted_by(|a, b| a.wa_timestamp >= b.wa_timestamp));
                ids.extend(page.items.iter().map(|m| m.id));
                let Some(next) = page.next else { break };
                request.after = Some(next);
            }
            assert_eq!(ids.len(), stored + 1, "{address}");
            assert_eq!(store.messages().count(session, &filter).unwrap(), stored as u64 + 1);
        }
        let chats =
            store.messages().chats(session, &PageRequest { limit: Some(1000), ..PageRequest::default() });
        let chats = chats.unwrap().items;
        let of_pair = chats.iter().filter(|c| [lid, pn, old.as_str()].iter().any(|a| c.chat_id == *a));
        assert_eq!(of_pair.count(), 1, "one chat");
    }
}

/// Numbers as text and text as JSON are what they mean; an empty id or list is none.
fn meaning(value: &Value) -> Value {
    match value {
        Value::String(s) if s.is_empty() || s == "[]" || s == "{}" => Value::Null,
        Value::String(s) if s.starts_with(['{', '[']) => {
            serde_json::from_str(s).unwrap_or_else(|_| value.clone())
        }
        Value::Number(n) => Value::String(n.to_string()),
        other => other.clone(),
    }
}
