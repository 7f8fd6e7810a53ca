//! `openwa backup`, run as people and cron run it.

use serde_json::Value;

use crate::openwa::{Openwa, failed};

/// With a store and a repository, of which nothing is there yet but the store.
fn with_repository() -> Openwa {
    let openwa = Openwa::new();
    let repository = openwa.path("repo");
    let openwa = openwa.with("OPENWA_BACKUP_REPO", repository).with("OPENWA_BACKUP_PASSWORD", "secret");
    openwa.ok(&["init"]);
    openwa
}

#[test]
fn a_backup_is_made_listed_verified_pruned_and_restored() {
    let openwa = with_repository();
    assert_eq!(openwa.fails(&["backup", "list"]).0, 3, "there is no repository");
    let said = openwa.ok(&["backup", "create", "--name", "shop"]);
    assert!(said.contains("is written and verified") && said.contains("new in the repository"), "{said}");
    let made = openwa.json(&["backup", "create", "--name", "shop", "--keep-last", "1"]);
    let id = made["backup"]["id"].as_str().unwrap();
    assert_eq!(
        (&made["prune"]["kept"][0], &made["backup"]["sealed"]),
        (&Value::from(id), &Value::from(false))
    );
    let list = openwa.json(&["backup", "list"]);
    assert_eq!(list, Value::Array(vec![made["backup"].clone()]));
    assert!(openwa.ok(&["backup", "list"]).contains(&id[..8]));
    assert!(openwa.ok(&["backup", "verify", &id[..8]]).starts_with("1 of 1 backups are whole"));
    assert!(openwa.ok(&["backup", "prune"]).starts_with("0 backups forgotten, 1 kept"));

    assert_eq!(openwa.fails(&["backup", "restore"]).0, 4, "a store is there");
    let (code, said) = openwa.fails(&["backup", "restore", "ffffffff", "--replace"]);
    assert!(code == 3 && said.contains("there is no backup ffffffff"), "{said}");
    let restored = openwa.json(&["backup", "restore", "--replace"]);
    assert_eq!((&restored["backup"], &restored["tables"]), (&made["backup"], &made["tables"]));
    assert_eq!(restored["set_aside"].as_array().unwrap().len(), 2);
    openwa.ok(&["--dir", &openwa.path("new"), "backup", "restore"]);
    openwa.ok(&["--dir", &openwa.path("new"), "db", "check"]);
}

#[test]
fn a_cron_job_learns_from_the_exit_code() {
    let openwa = with_repository();
    let without =
        |name: &str, args: &[&str]| failed(&openwa.command(args).env_remove(name).output().unwrap());
    assert_eq!(without("OPENWA_BACKUP_REPO", &["backup", "create"]).0, 2);
    let (code, said) = without("OPENWA_BACKUP_PASSWORD", &["backup", "create"]);
    assert!(code == 2 && said.contains("password"), "{said}");
    assert_eq!(openwa.fails(&["--dir", &openwa.path("none"), "backup", "create"]).0, 3);
    openwa.file("password", b"another\n");
    openwa.ok(&["backup", "create", "--password-file", &openwa.path("password")]);
    assert_eq!(openwa.fails(&["backup", "create"]).0, 7, "that is not the password");
    openwa.ok(&["backup", "list", "--password-command", "printf another"]);
}

/// A file size limit is a full disk that needs no root; the signal that comes with it is ignored, as many hosts do.
#[cfg(unix)]
#[test]
fn a_full_disk_makes_no_backup() {
    let openwa = with_repository();
    openwa.ok(&["backup", "create"]);
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$0\" backup create --json";
    let full = openwa.around("bash", &["-c", limited, env!("CARGO_BIN_EXE_openwa")]).output().unwrap();
    let (code, said) = failed(&full);
    assert_eq!(code, 6, "{said}");
    let error: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(error["error"]["kind"], "DISK_FULL", "{said}");
    assert!(full.stdout.is_empty());
    assert_eq!(openwa.json(&["backup", "list"]).as_array().unwrap().len(), 1);
    let left = std::fs::read_dir(openwa.path("store")).unwrap().flatten();
    let left: Vec<_> = left.filter(|e| e.file_name().to_string_lossy().starts_with(".openwa")).collect();
    assert!(left.is_empty(), "{left:?}");
    openwa.ok(&["backup", "create"]);
}
