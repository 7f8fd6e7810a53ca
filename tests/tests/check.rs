//! Every kind of damage, made by hand on both engines: it is found, what can be mended is, and a second check is clean.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use openwa_store::entity::Database;
use openwa_store::{
    Finding, FindingKind, Kind, MessageFilter, NewBatch, NewBatchMessage, NewMessage, PageRequest,
    RepairOptions, Store, Uuid,
};
use openwa_tests::cluster::Sql;
use openwa_tests::conformance::{ALICE, BOB, incoming, new_session, refused};
use openwa_tests::postgres::{Place, Way, disagreements};
use openwa_tests::raw;

const MEND: RepairOptions = RepairOptions { dry_run: false };
const LOOK: RepairOptions = RepairOptions { dry_run: true };

/// A session with three messages, of which one has a reaction, and a bulk job.
fn fill(store: &Store) -> Uuid {
    let session = new_session(store, "shop-1");
    for id in ["A", "B", "C"] {
        store.messages().save(session, incoming(id, "hello")).wait().unwrap();
    }
    store.messages().react(session, "A", BOB, "👍", None).wait().unwrap();
    let message = NewBatchMessage { chat_id: ALICE.into(), ..Default::default() };
    let batch = NewBatch { batch_id: "spring".into(), messages: vec![message; 3], options: None };
    store.batches().create(session, batch).wait().unwrap();
    assert_eq!(store.check().unwrap().findings, []);
    session
}

/// Checks that exactly this is found, mends it, and checks that a second check finds nothing.
#[track_caller]
fn mended(store: &Store, kind: FindingKind, count: u64) -> Finding {
    let report = store.check().unwrap();
    let [finding] = &report.findings[..] else { panic!("{:#?}", report.findings) };
    assert_eq!((finding.kind, finding.repairable), (kind, true), "{finding:#?}");
    assert_eq!(report.problems, [format!("{}: {}", finding.database, finding.text)]);
    let dry = store.repair(&LOOK, None).unwrap();
    assert_eq!(dry.repaired.iter().map(|r| (r.kind, r.count)).collect::<Vec<_>>(), [(kind, finding.count)]);
    assert_eq!(dry.left, []);
    assert_eq!(store.check().unwrap(), report, "a dry run changes nothing");
    let done = store.repair(&MEND, None).unwrap();
    assert_eq!(done.found, report.findings);
    assert_eq!(done.repaired.iter().map(|r| (r.kind, r.count)).collect::<Vec<_>>(), [(kind, count)]);
    assert_eq!((done.left, done.failed), (vec![], vec![]));
    assert_eq!(store.check().unwrap().findings, []);
    assert_eq!(store.repair(&MEND, None).unwrap().repaired, [], "there is nothing to mend twice");
    finding.clone()
}

/// Checks that exactly this is found, and that a repair leaves it and everything else alone.
#[track_caller]
fn left(store: &Store, kind: FindingKind) -> Finding {
    let report = store.check().unwrap();
    let [finding] = &report.findings[..] else { panic!("{:#?}", report.findings) };
    assert_eq!((finding.kind, finding.repairable), (kind, false), "{finding:#?}");
    let done = store.repair(&MEND, None).unwrap();
    assert_eq!((done.repaired, &done.left), (vec![], &report.findings));
    assert_eq!(store.check().unwrap(), report);
    finding.clone()
}

fn damage(dir: &Path, sql: &str) {
    let conn = raw::open(dir, Database::Data);
    conn.execute_batch(&format!("PRAGMA foreign_keys=OFF; {sql}")).unwrap();
}

fn key(finding: &Finding) -> String {
    finding.example.clone().unwrap().to_string()
}

#[test]
fn sqlite_counters_are_recounted() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let session = fill(&store);
    damage(dir.path(), "UPDATE batch_jobs SET total_messages = 7, sent_count = 2");
    let finding = mended(&store, FindingKind::WrongCounters, 1);
    assert!(finding.text.contains("spring"));
    let job = store.batches().find(session, "spring").unwrap().unwrap();
    assert_eq!((job.total_messages, job.sent_count), (3, 0));
    assert_eq!(key(&finding), job.id.to_string());
}

#[test]
fn sqlite_an_index_without_its_rows_is_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let session = fill(&store);
    store.close().unwrap();
    // An index that the schema does not name while rows come does not get them.
    let wanted = "name = 'idx_contacts_phone'";
    let conn = raw::open(dir.path(), Database::Data);
    let row = raw::rows(&conn, &format!("SELECT rootpage, sql FROM sqlite_schema WHERE {wanted}")).remove(0);
    conn.execute_batch(&format!("PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE {wanted}"))
        .unwrap();
    drop(conn);
    let id = Uuid::from_u128(7);
    damage(
        dir.path(),
        &format!(
            "INSERT INTO contacts (id, session_id, wa_contact_id, phone, is_my_contact, is_blocked, created_at, updated_at)
             VALUES ('{id}', '{session}', '{ALICE}', '12025550143', 0, 0, '2025-01-01T00:00:00.000Z', '2025-01-01T00:00:00.000Z')"
        ),
    );
    let conn = raw::open(dir.path(), Database::Data);
    conn.execute_batch("PRAGMA writable_schema=ON").unwrap();
    let back = "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('index', 'idx_contacts_phone', 'contacts', ?1, ?2)";
    conn.execute(back, [&row[0], &row[1]]).unwrap();
    drop(conn);
    let store = Store::open(dir.path()).unwrap();
    let finding = mended(&store, FindingKind::DamagedIndex, 2);
    assert_eq!((&*finding.table, finding.part.as_deref()), ("contacts", Some("idx_contacts_phone")));
    raw::assert_sound(dir.path());
}

#[test]
fn sqlite_a_reaction_without_message_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let session = fill(&store);
    damage(dir.path(), "DELETE FROM messages WHERE wa_message_id = 'A'");
    let finding = mended(&store, FindingKind::LostReaction, 1);
    assert_eq!(key(&finding), format!("{session}/A/{BOB}"));
    assert_eq!(store.messages().reactions(session, "A").unwrap(), []);
    store.messages().save(session, incoming("A", "here it is")).wait().unwrap();
    assert_eq!(store.messages().reactions(session, "A").unwrap()[0].emoji, "👍");
}

#[test]
fn sqlite_orphans_of_every_table_are_reported_and_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = openwa_tests::full::full(openwa_store::Config::new(dir.path()));
    assert_eq!(store.check().unwrap().findings, []);
    let referring: Vec<_> = openwa_store::entity::tables_of(Database::Data)
        .flat_map(|t| {
            t.references.iter().map(move |(column, parent)| (t.name, t.key.join(", "), *column, *parent))
        })
        .collect();
    let nobody = Uuid::from_u128(77);
    for (table, key, column, parent) in &referring {
        // One row, so that no two rows of a unique index become the same.
        damage(
            dir.path(),
            &format!(
                "UPDATE {table} SET {column} = '{nobody}' WHERE ({key}) = (SELECT {key} FROM {table} LIMIT 1)"
            ),
        );
        let report = store.check().unwrap();
        let found = report.findings.iter().find(|f| f.kind == FindingKind::Orphan && f.table == *table);
        let found = found.unwrap_or_else(|| panic!("{table}.{column}: {:#?}", report.findings));
        assert_eq!((found.part.as_deref(), found.repairable), (Some(*column), false));
        assert!(found.text.contains(parent) && found.count > 0, "{found:?}");
    }
    let before = store.check().unwrap().findings;
    assert_eq!(before.iter().filter(|f| f.kind == FindingKind::Orphan).count(), referring.len());
    let left = store.repair(&MEND, None).unwrap().left;
    assert!(before.iter().filter(|f| f.kind == FindingKind::Orphan).all(|f| left.contains(f)), "{left:#?}");
}

#[test]
fn sqlite_values_that_cannot_be_read_are_named() {
    for (sql, table, column) in [
        ("UPDATE messages SET created_at = 'yesterday' WHERE wa_message_id = 'B'", "messages", "created_at"),
        ("UPDATE messages SET id = 'no uuid' WHERE wa_message_id = 'B'", "messages", "id"),
        ("UPDATE messages SET media = '{\"cut' WHERE wa_message_id = 'B'", "messages", "media"),
        ("UPDATE messages SET from_me = 7 WHERE wa_message_id = 'B'", "messages", "from_me"),
        ("UPDATE sessions SET status = 'asleep'", "sessions", "status"),
        ("UPDATE message_reactions SET reacted_at = ''", "message_reactions", "reacted_at"),
        ("UPDATE messages SET body = CAST(x'ff' AS TEXT) WHERE wa_message_id = 'B'", "messages", "body"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        fill(&store);
        damage(dir.path(), sql);
        let finding = left(&store, FindingKind::UnreadableValue);
        assert_eq!(
            (&*finding.table, finding.part.as_deref(), finding.count),
            (table, Some(column), 1),
            "{sql}"
        );
    }
}

#[test]
fn sqlite_damaged_pages_are_found_and_the_file_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let session = fill(&store);
    let new = |i: usize| NewMessage { body: Some("x".repeat(500).into()), ..incoming(&format!("M{i}"), "") };
    store.messages().save_many(session, (0..500).map(new).collect()).wait().unwrap();
    store.close().unwrap();
    damage(dir.path(), "UPDATE batch_jobs SET sent_count = 2");
    let path = dir.path().join("data.sqlite");
    let root: usize = raw::rows(
        &raw::open(dir.path(), Database::Data),
        "SELECT pageno FROM dbstat WHERE name = 'messages' AND pagetype = 'leaf' LIMIT 1 OFFSET 3",
    )[0][0]
        .parse()
        .unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(root - 1) * 4096..root * 4096].fill(0x5A);
    std::fs::write(&path, &bytes).unwrap();

    let store = Store::open(dir.path()).unwrap();
    let findings = store.check().unwrap().findings;
    let damaged: Vec<_> = findings.iter().filter(|f| f.kind == FindingKind::DamagedPages).collect();
    assert!(damaged.iter().any(|f| f.table == "messages"), "{findings:#?}");
    assert!(damaged[0].advice.contains("restore a backup"));
    assert!(
        findings.iter().any(|f| f.kind == FindingKind::WrongCounters),
        "the rest is looked at all the same"
    );
    assert!(findings.iter().all(|f| !f.repairable), "nothing is written to a damaged file");
    let done = store.repair(&MEND, None).unwrap();
    assert_eq!((done.repaired, done.failed), (vec![], vec![]));
    store.close().unwrap();
    // Opening counts up a number in the header.
    let after = std::fs::read(&path).unwrap();
    assert!(after[100..] == bytes[100..], "a repair made it worse, or better by luck");
}

#[test]
fn a_check_can_be_stopped_and_says_where_it_is() {
    let store = Store::in_memory().unwrap();
    fill(&store);
    let mut tables = Vec::new();
    let mut tell = |at: openwa_store::Progress| {
        tables.push(at.table);
        ControlFlow::Continue(())
    };
    store.repair(&LOOK, Some(&mut tell)).unwrap();
    assert!(["api_keys", "messages", "batch_jobs"].iter().all(|t| tables.contains(t)), "{tables:?}");
    let e = refused(store.repair(&LOOK, Some(&mut |_| ControlFlow::Break(()))), Kind::Cancelled);
    assert_eq!(e.operation(), Some("repair"));
}

/// A store on PostgreSQL that is filled, and a way past it.
fn server(way: Way) -> (tempfile::TempDir, Place, Store, Sql, Uuid) {
    let (dir, place) = (tempfile::tempdir().unwrap(), Place::migrated(way));
    let store = Store::open_with(place.config(dir.path())).unwrap();
    let session = fill(&store);
    let sql = place.sql();
    (dir, place, store, sql, session)
}

#[test]
fn postgres_ids_and_messages_agree_again() {
    for way in Way::ALL {
        let (_dir, _place, store, sql, session) = server(way);
        // A message that nobody finds, and would come twice.
        sql.run("DELETE FROM message_ids WHERE wa_message_id = 'B'");
        mended(&store, FindingKind::MessageWithoutId, 1);
        assert!(store.messages().find(session, "B").unwrap().is_some());
        assert!(!store.messages().save(session, incoming("B", "hello")).wait().unwrap().outcome.is_new());

        // An id that keeps its message from ever being stored.
        sql.run("DELETE FROM messages WHERE wa_message_id = 'C'");
        mended(&store, FindingKind::IdWithoutMessage, 1);
        assert!(store.messages().save(session, incoming("C", "again")).wait().unwrap().outcome.is_new());

        // Both at once: an id that names another row than that of its message.
        sql.run(&format!(
            "UPDATE message_ids SET message_id = '{}' WHERE wa_message_id = 'B'",
            Uuid::from_u128(7)
        ));
        let kinds: Vec<_> = store.check().unwrap().findings.iter().map(|f| f.kind).collect();
        assert_eq!(kinds, [FindingKind::IdWithoutMessage, FindingKind::MessageWithoutId]);
        assert_eq!(store.repair(&MEND, None).unwrap().left, []);
        assert_eq!(disagreements(&sql), Vec::<Vec<String>>::new());
    }
}

#[test]
fn postgres_two_rows_with_one_id_are_reported_and_left() {
    for way in [Way::Partitioned, Way::Plain] {
        let (_dir, _place, store, sql, session) = server(way);
        let id = Uuid::from_u128(7);
        sql.run(&format!(
            "INSERT INTO messages (id, session_id, wa_message_id, chat_id, from_number, type, wa_timestamp, created_at)
             SELECT '{id}', session_id, wa_message_id, chat_id, from_number, type, wa_timestamp, created_at
               FROM messages WHERE wa_message_id = 'A'"
        ));
        let finding = left(&store, FindingKind::DuplicateMessage);
        assert_eq!((finding.count, key(&finding)), (1, id.to_string()));
        assert_eq!(store.messages().count(session, &MessageFilter::default()).unwrap(), 4);
    }
}

#[test]
fn postgres_rows_find_their_month() {
    let (_dir, _place, store, sql, session) = server(Way::Partitioned);
    let page = |store: &Store| {
        store
            .messages()
            .list(session, &MessageFilter::default(), &PageRequest::default())
            .unwrap()
            .items
            .len()
    };
    // As if the lock for the month could not be had when they came.
    sql.run(
        "INSERT INTO messages_default (id, session_id, wa_message_id, chat_id, from_number, type, wa_timestamp, created_at)
         SELECT gen_random_uuid(), session_id, 'old-' || n, chat_id, from_number, type, '2019-05-17', '2019-05-17'
           FROM messages, generate_series(1, 3) n WHERE wa_message_id = 'A'",
    );
    sql.run(
        "INSERT INTO message_ids SELECT session_id, wa_message_id, id, created_at FROM messages_default
         WHERE wa_message_id LIKE 'old-%'",
    );
    let finding = mended(&store, FindingKind::MisplacedRow, 3);
    assert_eq!(finding.table, "messages_default");
    assert_eq!(sql.value("SELECT count(*) FROM messages_y2019m05"), "3");
    assert_eq!(page(&store), 6);
    // A row of a broken clock has no month of its own, and that is no problem.
    sql.run("UPDATE messages SET created_at = '1971-01-01T00:00:00Z' WHERE wa_message_id = 'old-1'");
    sql.run("UPDATE message_ids SET created_at = '1971-01-01T00:00:00Z' WHERE wa_message_id = 'old-1'");
    sql.run("INSERT INTO messages_ahead SELECT session_id, '1971-01-01T00:00:00Z' FROM messages WHERE wa_message_id = 'old-1'");
    assert_eq!(store.check().unwrap().findings, []);
}

#[test]
fn postgres_a_month_with_rows_of_a_later_one_is_listed() {
    let (_dir, _place, store, sql, session) = server(Way::Partitioned);
    let ahead =
        NewMessage { wa_timestamp: Some("2031-01-01T00:00:00Z".parse().unwrap()), ..incoming("later", "x") };
    store.messages().save(session, ahead).wait().unwrap();
    sql.run("DELETE FROM messages_ahead");
    mended(&store, FindingKind::UnlistedMonth, 1);
}

#[test]
fn postgres_indexes_that_cannot_be_used_are_mended() {
    let (_dir, _place, store, sql, _session) = server(Way::Plain);
    // What a broken-off REINDEX CONCURRENTLY leaves: an index that is not valid, or a second one beside it.
    sql.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_contacts_phone'::regclass");
    let finding = mended(&store, FindingKind::DamagedIndex, 1);
    assert_eq!((&*finding.table, finding.part.as_deref()), ("contacts", Some("idx_contacts_phone")));
    sql.run("CREATE INDEX idx_contacts_phone_ccnew1 ON contacts (phone)");
    sql.run(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_contacts_phone_ccnew1'::regclass",
    );
    mended(&store, FindingKind::DamagedIndex, 1);
    assert_eq!(sql.value("SELECT to_regclass('idx_contacts_phone_ccnew1') IS NULL"), "t");
    assert_eq!(sql.value("SELECT to_regclass('idx_contacts_phone') IS NULL"), "f");
}

#[test]
fn postgres_counters_orphans_reactions_and_values() {
    for way in [Way::Partitioned, Way::Plain] {
        let (_dir, _place, store, sql, session) = server(way);
        sql.run("UPDATE batch_jobs SET failed_count = 1");
        mended(&store, FindingKind::WrongCounters, 1);
        sql.run("DELETE FROM message_ids WHERE wa_message_id = 'A'");
        sql.run("DELETE FROM messages WHERE wa_message_id = 'A'");
        mended(&store, FindingKind::LostReaction, 1);
        store.messages().save(session, incoming("A", "here it is")).wait().unwrap();
        assert_eq!(store.messages().reactions(session, "A").unwrap()[0].emoji, "👍");

        sql.run("UPDATE batch_job_messages SET status = 'lost' WHERE position = 1");
        let finding = left(&store, FindingKind::UnreadableValue);
        assert_eq!((&*finding.table, finding.part.as_deref()), ("batch_job_messages", Some("status")));
        sql.run("UPDATE batch_job_messages SET status = 'pending' WHERE position = 1");
        sql.run("UPDATE contacts SET updated_at = 'infinity'");
        sql.run("UPDATE sessions SET connected_at = 'infinity'");
        assert_eq!(left(&store, FindingKind::UnreadableValue).part.as_deref(), Some("connected_at"));
        sql.run("UPDATE sessions SET connected_at = NULL");

        // Messages have no foreign key there.
        let nobody = Uuid::from_u128(77);
        sql.run(&format!("UPDATE messages SET session_id = '{nobody}' WHERE wa_message_id = 'B'"));
        sql.run(&format!("UPDATE message_ids SET session_id = '{nobody}' WHERE wa_message_id = 'B'"));
        let finding = left(&store, FindingKind::Orphan);
        assert_eq!((&*finding.table, finding.count), ("messages", 1));
    }
}

#[test]
fn postgres_a_check_finds_nothing_while_others_write() {
    let (_dir, _place, store, _sql, session) = server(Way::Partitioned);
    let done = AtomicBool::new(false);
    let found: Vec<_> = std::thread::scope(|scope| {
        let (store, done) = (&store, &done);
        for thread in 0..3 {
            scope.spawn(move || {
                for i in 0.. {
                    if done.load(Ordering::Acquire) {
                        break;
                    }
                    let id = format!("{thread}-{i}");
                    store.messages().react(session, &id, BOB, "👍", None).wait().unwrap();
                    store.messages().save(session, incoming(&id, "x")).wait().unwrap();
                }
            });
        }
        let found = (0..5).map(|_| store.check()).collect();
        done.store(true, Ordering::Release);
        found
    });
    assert!(found.into_iter().all(|report| report.unwrap().findings.is_empty()));
}
