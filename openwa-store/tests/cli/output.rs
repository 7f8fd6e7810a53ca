//! What commands write, read and write over, run as people and scripts run them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::openwa::{Openwa, code, failed, fixture, stderr, succeeded};

/// Every file beneath a folder, with its content.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(content(&entry));
        } else if entry.is_file() {
            found.push((entry.display().to_string(), std::fs::read(&entry).unwrap()));
        }
    }
    found.sort();
    found
}

fn messages(openwa: &Openwa, dir: &str) -> Value {
    openwa.json(&["--dir", dir, "status"])["databases"][1]["rows"]["messages"].clone()
}

/// Runs the command by a shell, where it is `$0` and `$1` is the folder.
fn sh(openwa: &Openwa, script: &str) -> Output {
    let folder = openwa.path("");
    openwa.around("bash", &["-c", script, env!("CARGO_BIN_EXE_openwa"), &folder]).output().unwrap()
}

#[cfg(unix)]
#[test]
fn nothing_is_written_over_the_store_or_its_backups() {
    let openwa = Openwa::filled().with("OPENWA_BACKUP_PASSWORD", "correct horse");
    openwa.ok(&["backup", "create", "--repo", &openwa.path("repo")]);
    openwa.ok(&["secrets", "key", "--out", &openwa.path("store.key")]);
    openwa.ok(&["secrets", "status"]);
    let settings = openwa.file("gateway.env", b"OPENWA_STORE_KEY_FILE=../store.key\n");
    openwa.ok(&["--config", &settings, "status"]);
    let store = openwa.path("store");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(openwa.path(to), openwa.path(name)).unwrap();
    link("store", "folder");
    link("store/data.sqlite", "link.json");
    link("link.json", "longer.json");
    link("store/main.sqlite-wal", "dangling.json");
    std::fs::hard_link(openwa.path("store/main.sqlite"), openwa.path("hard.json")).unwrap();
    let before = content(Path::new(&openwa.path("")));
    for name in [
        "store/data.sqlite",
        "store/main.sqlite",
        "store/../store/data.sqlite",
        "folder/data.sqlite",
        "store/data.sqlite-wal",
        "store/main.sqlite-shm",
        "store/data.sqlite-journal",
        "store/data.sqlite.restoring",
        "store/main.retention.lock",
        "link.json",
        "longer.json",
        "dangling.json",
        "hard.json",
        "repo/config",
        "repo/data/new.json",
        "store.key",
        "gateway.env",
    ] {
        let path = openwa.path(name);
        for format in ["store", "openwa"] {
            let args = ["--config", &settings, "export", &path, "--force", "--format", format];
            let (code, told) = openwa.fails(&args);
            assert_eq!(code, 2, "{name}: {told}");
            assert!(told.contains("write to another place"), "{name}: {told}");
        }
        let at = name.rsplit('/').next().unwrap();
        let (code, told) = failed(&openwa.run(&["secrets", "key", "--out", &path]));
        assert_ne!(code, 0, "{at}: {told}");
    }
    let appended = sh(&openwa, "\"$0\" --dir $1/store export - >>$1/store/data.sqlite");
    assert_eq!(code(&appended), 2, "{}", stderr(&appended));
    assert_eq!(content(Path::new(&openwa.path(""))), before);
    assert_eq!(
        openwa.fails(&["migrate", "--replace", "--from", &store, "--to", &openwa.path("folder")]).0,
        2
    );
    let copy = openwa.path("hard.sqlite");
    std::fs::hard_link(openwa.path("store/data.sqlite"), &copy).unwrap();
    assert_eq!(openwa.fails(&["migrate", "--replace", "--from", &store, "--to", &copy]).0, 2);
}

#[cfg(unix)]
#[test]
fn another_file_is_replaced_only_by_force_and_only_by_a_whole_one() {
    let openwa = Openwa::filled();
    let file = openwa.file("out.json", b"precious");
    std::os::unix::fs::symlink("out.json", openwa.path("link.json")).unwrap();
    for path in [&file, &openwa.path("link.json")] {
        let (code, told) = openwa.fails(&["export", path]);
        assert_eq!(code, 4, "{told}");
        assert!(told.contains("is there already") && told.contains("--force"), "{told}");
    }
    // A file size limit is a full disk that needs no root.
    let full = sh(&openwa, "trap '' XFSZ; ulimit -f 4; \"$0\" --dir $1/store export $1/out.json --force");
    assert_eq!(code(&full), 6, "{}", stderr(&full));
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
    assert!(!content(Path::new(&openwa.path(""))).iter().any(|(name, _)| name.ends_with(".tmp")));

    openwa.ok(&["export", &openwa.path("link.json"), "--force"]);
    assert!(std::fs::read(&file).unwrap().len() > 1000);
    assert!(Path::new(&openwa.path("link.json")).is_symlink(), "what the link leads to was replaced");
    openwa.ok(&["export", "/dev/null"]);
    let pipe = sh(
        &openwa,
        "mkfifo $1/pipe; cat $1/pipe >$1/piped.json & \"$0\" --dir $1/store export $1/pipe && wait",
    );
    assert_eq!(code(&pipe), 0, "{}", stderr(&pipe));
    assert!(std::fs::read(openwa.path("piped.json")).unwrap().len() > 1000);
    assert_eq!(openwa.fails(&["export", &openwa.path("store")]).0, 2, "a folder");
}

#[test]
fn an_import_into_a_store_with_rows_wants_to_be_told_how() {
    let openwa = Openwa::filled();
    let (file, other) = (openwa.path("out.json"), openwa.path("other"));
    openwa.ok(&["export", &file, "--table", "sessions"]);
    openwa.ok(&["--dir", &other, "init"]);
    openwa.ok(&["--dir", &other, "import", &file]);
    let before = openwa.ok(&["status", "--json"]);
    let (code, told) = openwa.fails(&["import", &file]);
    assert_eq!(code, 4, "{told}");
    let rows = openwa.json(&["status"])["databases"][1]["rows"]["contacts"].as_u64().unwrap();
    assert!(rows > 0 && told.contains(" rows already"), "{told}");
    assert!(told.contains("--replace empties") && told.contains("--merge keeps"), "{told}");
    assert_eq!(openwa.fails(&["import", &file, "--merge", "--replace"]).0, 2);
    openwa.ok(&["import", &file, "--dry-run"]);
    let same = |text: &str| serde_json::from_str::<Value>(text).unwrap()["databases"][1]["rows"].clone();
    assert_eq!(same(&openwa.ok(&["status", "--json"])), same(&before));
    openwa.ok(&["import", &file, "--merge"]);
    openwa.ok(&["export", &openwa.path("all.json")]);
    openwa.ok(&["import", &openwa.path("all.json"), "--replace"]);
}

#[cfg(unix)]
#[test]
fn a_dash_is_standard_input_and_output() {
    let openwa = Openwa::filled();
    let (store, other) = (openwa.path("store"), openwa.path("other"));
    openwa.ok(&["--dir", &other, "init"]);
    let through =
        "set -o pipefail; \"$0\" --dir $1/store export - 2>$1/said | \"$0\" --dir $1/other import -";
    succeeded(&["export | import"], sh(&openwa, through));
    assert_eq!(messages(&openwa, &other), messages(&openwa, &store));
    assert!(std::fs::read_to_string(openwa.path("said")).unwrap().contains("Written to standard output"));
    let device = openwa.run(&["export", "/dev/stdout", "--json"]);
    let document: Value = serde_json::from_slice(&device.stdout).unwrap();
    assert!(document["tables"]["messages"].is_array());
    let report: Value = serde_json::from_slice(&device.stderr).unwrap();
    assert_eq!(report["tables"]["messages"], messages(&openwa, &store));
    let cut = sh(&openwa, "set -o pipefail; \"$0\" --dir $1/store export - | true");
    assert_ne!(code(&cut), 0, "a document that nobody took whole is no success");

    let given = |args: &[&str], input: &[u8]| openwa.run_with_input(args, input);
    let moved = given(&["--config", "-", "status", "--json"], b"DATABASE_NAME=nowhere.sqlite\n");
    assert_ne!(code(&moved), 0, "the settings were read");
    let twice = given(&["--config", "-", "import", "-", "--merge"], b"");
    assert!(code(&twice) == 2 && stderr(&twice).contains("twice"), "{}", stderr(&twice));
    let repo = openwa.path("repo");
    let backup = ["backup", "create", "--repo", &repo, "--password-file", "-"];
    succeeded(&backup, given(&backup, b"correct horse\n"));
    let wrong = given(&["backup", "list", "--repo", &repo, "--password-file", "-"], b"another\n");
    assert_eq!(code(&wrong), 7, "{}", stderr(&wrong));
    let key = openwa.ok(&["secrets", "key", "--out", "-"]);
    let sealed = openwa.command(&["secrets", "status"]).env("OPENWA_STORE_KEY", key.trim()).output().unwrap();
    succeeded(&["secrets status"], sealed);
    let new = openwa.ok(&["secrets", "key"]);
    let script = format!(
        "OPENWA_STORE_KEY={} \"$0\" --dir $1/store secrets rotate --new-key-file - <<<{}",
        key.trim(),
        new
    );
    succeeded(&["rotate"], sh(&openwa, &script));

    let export = std::fs::read(fixture("openwa/export-sqlite.json.gz")).unwrap();
    let taken = ["--dir", &other, "takeover", "-"];
    let told = succeeded(&taken, given(&taken, &export));
    assert!(told.contains("export of OpenWA") && told.contains("Taken over."), "{told}");
    assert_eq!(openwa.fails(&["migrate", "--from", "-", "--to", &other]).0, 2);
}

#[cfg(unix)]
#[test]
fn a_secret_that_nobody_saw_is_none() {
    let openwa = Openwa::filled();
    for output in [">/dev/full", ">&-", ">/dev/null", "| true"] {
        for json in ["", "--json"] {
            let script = format!(
                "set -o pipefail; sleep 0.1 | \"$0\" {json} --dir $1/store keys create --name k {output}"
            );
            let out = sh(&openwa, &script);
            assert_eq!(code(&out), 7, "{output}: {}", stderr(&out));
            assert!(stderr(&out).contains("so there is none"), "{output}: {}", stderr(&out));
            assert_eq!(openwa.json(&["keys", "list"])["items"], serde_json::json!([]), "{output}");
        }
        assert_ne!(
            code(&sh(&openwa, &format!("set -o pipefail; \"$0\" secrets key {output}"))),
            0,
            "{output}"
        );
    }
    let full = sh(&openwa, "trap '' XFSZ; ulimit -f 0; \"$0\" secrets key --out $1/new.key");
    assert_ne!(code(&full), 0);
    assert!(!Path::new(&openwa.path("new.key")).exists(), "half a key is none");
}

/// A store with so much that exporting it takes a moment.
#[cfg(unix)]
fn large() -> Openwa {
    let openwa = Openwa::filled();
    let data = rusqlite::Connection::open(openwa.path("store/data.sqlite")).unwrap();
    let columns = "session_id, chat_id, from_number, from_me, type, body, wa_timestamp, created_at";
    let filled = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO messages (id, {columns})
         SELECT printf('0195d0a0-0000-7000-8000-%012x', row_number() OVER ()), {columns}
           FROM n, (SELECT * FROM messages LIMIT 20)"
    );
    data.execute_batch(&filled).unwrap();
    openwa
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_no_temporary_file() {
    use std::os::unix::process::ExitStatusExt;
    let openwa = large();
    let left = |suffix: &str| {
        let names = content(Path::new(&openwa.path(""))).into_iter().map(|(name, _)| name);
        names.filter(|name| name.contains(suffix)).collect::<Vec<_>>()
    };
    let under_way = |name: &str| {
        let entries =
            |path: &str| std::fs::read_dir(openwa.path(path)).unwrap().flatten().collect::<Vec<_>>();
        ["", "store"]
            .iter()
            .any(|f| entries(f).iter().any(|e| e.file_name().to_string_lossy().starts_with(name)))
    };
    let (out, repo) = (openwa.path("out.json"), openwa.path("repo"));
    let export: (&[&str], &str) = (&["export", &out], ".out.json");
    let backup: (&[&str], &str) = (&["backup", "create", "--repo", &repo], ".openwa-backup-");
    for ((args, temporary), signal, number) in [
        (export, "INT", 2),
        (export, "TERM", 15),
        (export, "HUP", 1),
        (backup, "INT", 2),
        (backup, "TERM", 15),
    ] {
        let mut command = openwa.command(args);
        let mut child = command.env("OPENWA_BACKUP_PASSWORD", "correct horse").spawn().unwrap();
        while !under_way(temporary) {
            assert!(child.try_wait().unwrap().is_none(), "{args:?} ended before it could be told to");
        }
        let kill = ["-s", signal, &child.id().to_string()];
        assert!(Command::new("kill").args(kill).status().unwrap().success());
        assert_eq!(child.wait().unwrap().signal(), Some(number), "{args:?} {signal}");
        assert_eq!(left(temporary), Vec::<String>::new(), "{args:?} {signal}");
        assert!(!Path::new(&out).exists());
    }
    // What the caller ignores is ignored.
    let nohup = sh(
        &openwa,
        "trap '' HUP; \"$0\" --dir $1/store export $1/out.json & sleep 0.3; kill -s HUP $!; wait $!",
    );
    assert_eq!(code(&nohup), 0, "{}", stderr(&nohup));
    assert!(Path::new(&out).exists());
}

/// A server of which nobody has heard.
const NOWHERE: &str = "postgres://u:p@127.0.0.1:1/d?wait=4000";

#[test]
fn a_server_that_does_not_answer_is_told_by_one_line() {
    let openwa = Openwa::new();
    let (code, told) = openwa.fails(&["--data", NOWHERE, "init"]);
    assert_eq!(code, 6, "{told}");
    let begin = |what: &str| told.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!((begin("openwa: waiting"), begin("openwa: waited ")), (1, 1), "{told}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_line_of_a_server_that_does_not_answer_counts_in_a_terminal() {
    let openwa = Openwa::new();
    let watch = format!("stty rows 12 cols 50; exec {} --data '{NOWHERE}' init", env!("CARGO_BIN_EXE_openwa"));
    let mut terminal = openwa.around("script", &["--quiet", "--return", "--command", &watch, "/dev/null"]);
    terminal.env("PATH", "/usr/bin:/bin").env("TERM", "xterm");
    let out = terminal.stdin(std::process::Stdio::null()).output().unwrap();
    let seen = String::from_utf8_lossy(&out.stdout).into_owned();
    for seconds in ["waiting, 0 s", "waiting, 1 s", "waiting, 2 s"] {
        assert!(seen.contains(seconds), "{seen:?}");
    }
    let waiting = seen.rsplit_once("\r\u{1b}[K").unwrap().0;
    assert!(!waiting.contains('\n'), "{seen:?}");
    assert!(waiting.split('\r').all(|line| console::measure_text_width(line) < 50), "{seen:?}");
}
