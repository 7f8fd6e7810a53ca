//! Pairings that move in: Baileys' auth folder as Baileys itself reads it, whatsapp-web.js' archive as it is.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::io::Write;
use std::path::{Path, PathBuf};

use openwa_store::{AuthEntry, AuthValue, Kind, Store, TakeoverOptions, Text};
use openwa_tests::openwa::{source, take};
use serde_json::Value;
use uuid::Uuid;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/baileys-auth").join(name)
}

fn taken(name: Option<&str>) -> (Store, Uuid) {
    let store = Store::in_memory().unwrap();
    let options = TakeoverOptions { session: name.map(Text::from), ..TakeoverOptions::default() };
    store.takeover(&[source(&fixture("folder"))], &options, None).unwrap();
    let session = store.sessions().find(name.unwrap_or("folder")).unwrap().unwrap().id;
    (store, session)
}

fn read(store: &Store, session: Uuid, category: &str, id: &str) -> Value {
    match store.auth().get(session, category, id).unwrap() {
        AuthValue::Found(bytes) => serde_json::from_slice(&bytes).unwrap(),
        AuthValue::Missing => Value::Null,
        AuthValue::Unreadable(why) => panic!("{category} {id}: {why}"),
    }
}

/// Every key of every kind, ids with `/`, `:` and `__`, ids that were never set: what Baileys reads, we read.
#[test]
fn an_auth_folder_is_read_as_baileys_reads_it() {
    let (store, session) = taken(None);
    let expected: Value = serde_json::from_slice(&std::fs::read(fixture("expected.json")).unwrap()).unwrap();
    assert_eq!(read(&store, session, "creds", ""), expected["creds"]);
    let mut found = 0;
    for (category, keys) in expected["keys"].as_object().unwrap() {
        for (id, value) in keys.as_object().unwrap() {
            assert_eq!(read(&store, session, category, id), *value, "{category} {id}");
            found += u64::from(!value.is_null());
        }
    }
    assert!(found >= 24, "{found}");
    let files = std::fs::read_dir(fixture("folder")).unwrap().count();
    assert_eq!(store.auth().all(session).unwrap().len(), files);
}

/// A key that an engine writes again takes the place of the one that was taken over, and can be deleted.
#[test]
fn keys_that_were_taken_over_are_replaced_and_deleted() {
    let (store, session) = taken(None);
    let rows = store.auth().all(session).unwrap().len();
    let id = "120363400000000000@g.us::20000000000143_1::23";
    let set = |value: Option<&[u8]>| {
        let entry =
            AuthEntry { category: "sender-key".into(), key_id: id.into(), value: value.map(<[u8]>::to_vec) };
        store.auth().set(session, vec![entry]).wait().unwrap();
    };
    set(Some(b"\"new\""));
    assert_eq!(read(&store, session, "sender-key", id), "new");
    assert_eq!(store.auth().all(session).unwrap().len(), rows, "the old one is gone");
    set(None);
    assert_eq!(store.auth().get(session, "sender-key", id).unwrap(), AuthValue::Missing);
    assert_eq!(store.auth().all(session).unwrap().len(), rows - 1);
}

/// Without a folder that was taken over, ids stay apart that Baileys' file names would mix.
#[test]
fn ids_that_look_alike_as_file_names_are_kept_apart() {
    let store = Store::in_memory().unwrap();
    let new = openwa_store::NewSession { name: "s".into(), ..Default::default() };
    let session = store.sessions().create(new).wait().unwrap().id;
    let ids = ["a:b", "a-b", "a/b", "a__b"];
    for id in ids {
        let entry =
            AuthEntry { category: "session".into(), key_id: id.into(), value: Some(id.as_bytes().to_vec()) };
        store.auth().set(session, vec![entry]).wait().unwrap();
    }
    for id in ids {
        assert_eq!(
            store.auth().get(session, "session", id).unwrap(),
            AuthValue::Found(id.as_bytes().to_vec())
        );
    }
}

#[test]
fn a_folder_finds_its_session() {
    // By the name that is given.
    let (store, _) = taken(Some("shop-main"));
    let session = store.sessions().find("shop-main").unwrap().unwrap();
    assert_eq!(session.phone.unwrap(), "12025550143");
    assert_eq!(session.push_name.unwrap(), "Fixture Ünïcode 🛍️");

    // By the telephone number of the account.
    let store = Store::in_memory().unwrap();
    let new = openwa_store::NewSession {
        name: "other".into(),
        phone: Some("12025550143".into()),
        ..Default::default()
    };
    let session = store.sessions().create(new).wait().unwrap().id;
    take(&store, &[&fixture("folder")]).unwrap();
    assert!(!store.auth().all(session).unwrap().is_empty());
    assert!(store.sessions().find("folder").unwrap().is_none(), "no new session");

    // A second time nothing is new.
    let again = take(&store, &[&fixture("folder")]).unwrap();
    assert!(again.written.iter().all(|w| w.inserted == 0), "{:?}", again.written);
}

fn copy_folder(into: &Path) -> PathBuf {
    let folder = into.join("shop-1");
    std::fs::create_dir(&folder).unwrap();
    for file in std::fs::read_dir(fixture("folder")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    folder
}

/// A torn key file is a problem that names the file; Baileys would take the key for missing.
#[test]
fn torn_files() {
    let dir = tempfile::tempdir().unwrap();
    let folder = copy_folder(dir.path());
    for content in [&b""[..], b"{\"type\":\"Buf"] {
        std::fs::write(folder.join("pre-key-2.json"), content).unwrap();
        let store = Store::in_memory().unwrap();
        let e = take(&store, &[&folder]).unwrap_err();
        assert_eq!((e.kind(), e.context("row")), (Kind::InvalidData, Some("pre-key-2.json")), "{e}");
        assert!(store.sessions().find("shop-1").unwrap().is_none());

        let options = TakeoverOptions { skip_bad_rows: true, ..TakeoverOptions::default() };
        let report = store.takeover(&[source(&folder)], &options, None).unwrap();
        assert_eq!(report.problem_count, 1);
        let session = store.sessions().find("shop-1").unwrap().unwrap().id;
        assert_eq!(store.auth().get(session, "pre-key", "2").unwrap(), AuthValue::Missing);
        assert!(matches!(store.auth().get(session, "pre-key", "1").unwrap(), AuthValue::Found(_)));
    }
    std::fs::write(folder.join("creds.json"), b"{\"noiseKey\":").unwrap();
    let e = take(&Store::in_memory().unwrap(), &[&folder]).unwrap_err();
    assert!(e.message().contains("creds.json"), "{e}");
}

fn archive(names: &[&str]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for name in names {
        zip.start_file(*name, stored).unwrap();
        zip.write_all(&[7; 3000]).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn an_archive_of_whatsapp_web_js() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = archive(&["Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb/1.log"]);
    let path = dir.path().join("RemoteAuth-shop-7.zip");
    std::fs::write(&path, &bytes).unwrap();
    let store = Store::in_memory().unwrap();
    take(&store, &[&path]).unwrap();
    let session = store.sessions().find("shop-7").unwrap().unwrap().id;
    let kept = store.auth().list(session, "remote-auth").unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(store.auth().get(session, "remote-auth", &kept[0]).unwrap(), AuthValue::Found(bytes.clone()));
    take(&store, &[&path]).unwrap();
    assert_eq!(store.auth().all(session).unwrap().len(), 1, "a second run adds nothing");

    let other = dir.path().join("photos.zip");
    std::fs::write(&other, archive(&["a.jpg"])).unwrap();
    let e = take(&store, &[&other]).unwrap_err();
    assert!(e.message().contains("not a session"), "{e}");
    let mut broken = bytes;
    let place = broken.len() / 3;
    broken[place] ^= 0xFF;
    std::fs::write(&path, &broken).unwrap();
    assert_eq!(take(&store, &[&path]).unwrap_err().kind(), Kind::InvalidData, "the checksum is compared");
}
