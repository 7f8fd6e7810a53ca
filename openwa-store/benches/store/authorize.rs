//! Checking API keys.

use openwa_store::policy::permissions::Permission;
use openwa_store::{Ask, NewApiKey};
use rusqlite::OptionalExtension;

use crate::saves::open;
use crate::yardstick::Yardstick;
use crate::{Folder, Options, rate, versus};

pub fn run(options: &Options) {
    let folder = Folder::new("authorize");
    let (store, _) = open(&folder);
    let y = Yardstick::open(folder.path());
    let keys: Vec<String> = (0..1000)
        .map(|i| {
            let new = NewApiKey { name: format!("key {i}").into(), ..NewApiKey::default() };
            store.api_keys().create(new).wait().expect("key").key
        })
        .collect();
    let hashes: Vec<String> = keys.iter().map(|k| openwa_store::policy::keys::hash(k, None)).collect();
    for (i, hash) in hashes.iter().enumerate() {
        let sql = "INSERT INTO api_keys VALUES (?1, ?2, 'key', '[\"*\"]', 1, NULL, NULL, '2026-01-01T00:00:00.000Z')";
        y.conn.execute(sql, rusqlite::params![i.to_string(), hash]).expect("key");
    }
    let calls = 200_000;
    let ask = Ask { permission: Some(Permission::MessagesRead), ..Ask::default() };
    // The goal is 400,000 a second; the lookup beside it, which checks nothing and sees no revocation, tells how
    // fast the machine is.
    versus(
        options,
        "authorize, 1,000 keys, one thread / an indexed lookup",
        1.0,
        || {
            rate(|| {
                for i in 0..calls {
                    assert!(
                        store.api_keys().authorize(&keys[i % keys.len()], &ask).expect("answer").is_allowed()
                    );
                }
                calls
            })
        },
        || {
            rate(|| {
                let sql = "SELECT id, permissions, active, expires_at FROM api_keys WHERE key_hash = ?1";
                for i in 0..calls {
                    let mut statement = y.conn.prepare_cached(sql).expect("prepare");
                    let row: Option<(String, String, bool, Option<String>)> = statement
                        .query_row([&hashes[i % hashes.len()]], |r| {
                            Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
                        })
                        .optional()
                        .expect("row");
                    assert!(row.is_some());
                }
                calls
            })
        },
    );
}
