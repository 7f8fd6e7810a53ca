//! Backs a store up and restores it, for tests that kill it.
//!
//! * `backer backup DIR REPO`: says the id of the backup.
//! * `backer full DIR REPO BYTES`: the same, but once Data is copied no file may grow beyond so many bytes.
//! * `backer restore DIR REPO`: in place of what is there; says the id of the backup.
//!
//! The password is `password`; where Data is the gateway's environment says. An error is told as `error KIND: …` and ends it.

#![allow(clippy::unwrap_used, reason = "a test program fails by a panic")]

use openwa_store::{
    BackupOptions, BackupPhase, BackupProgress, Config, RestoreOptions, Result, Store, restore_backup,
};
use openwa_tests::backups::repo;

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["backup", dir, place] => backup(dir, place, &|| {}),
        ["full", dir, place, bytes] => backup(dir, place, &|| limit(bytes)),
        ["restore", dir, place] => restore(dir, place),
        _ => panic!("unknown arguments {args:?}"),
    };
    match done {
        Ok(ref id) => println!("{id}"),
        Err(ref e) => println!("error {}: {e}", e.kind().name()),
    }
    std::process::ExitCode::from(u8::from(done.is_err()))
}

/// `copied` is called when Data is copied.
fn backup(dir: &str, place: &str, copied: &dyn Fn()) -> Result<String> {
    let store = Store::open_with(Config::from_env(dir)?)?;
    let mut told = false;
    let mut hear = |at: BackupProgress| {
        if at.phase == BackupPhase::Copy && at.total == Some(at.bytes) && !std::mem::replace(&mut told, true)
        {
            copied();
        }
        std::ops::ControlFlow::Continue(())
    };
    let report = store.backup(&BackupOptions { repo: repo(place), ..Default::default() }, Some(&mut hear));
    store.close()?;
    report.map(|report| report.backup.id)
}

fn limit(bytes: &str) {
    let (id, limit) = (std::process::id().to_string(), format!("--fsize={bytes}:"));
    assert!(std::process::Command::new("prlimit").args(["--pid", &id, &limit]).status().unwrap().success());
}

fn restore(dir: &str, place: &str) -> Result<String> {
    let options = RestoreOptions { repo: repo(place), replace: true, ..Default::default() };
    restore_backup(&Config::from_env(dir)?, &options, None).map(|report| report.backup.id)
}
