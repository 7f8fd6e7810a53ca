//! Backs a store up and restores it, for tests that kill it.
//!
//! * `keeper backup DIR REPO`: says the id of the backup.
//! * `keeper restore DIR REPO`: in place of what is there; says the id of the backup.
//!
//! The password is `password`. Any error ends it.

#![allow(clippy::unwrap_used, reason = "a test program fails by a panic")]

use openwa_store::{BackupOptions, Config, RestoreOptions, Store, restore_backup};
use openwa_tests::backups::repo;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["backup", dir, place] => {
            let store = Store::open(dir).unwrap();
            let options = BackupOptions { repo: repo(place), ..Default::default() };
            println!("{}", store.backup(&options, None).unwrap().backup.id);
            store.close().unwrap();
        }
        ["restore", dir, place] => {
            let options = RestoreOptions { repo: repo(place), replace: true, ..Default::default() };
            println!("{}", restore_backup(&Config::new(dir), &options, None).unwrap().backup.id);
        }
        _ => panic!("unknown arguments {args:?}"),
    }
}
