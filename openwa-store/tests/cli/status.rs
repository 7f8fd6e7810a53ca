//! `openwa status`, looked at and watched.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::openwa::{Openwa, code, succeeded};

/// A store with a session of a hostile name that has failed, an old key, and messages of three days before `now`.
fn troubled() -> Openwa {
    let openwa = Openwa::new();
    openwa.ok(&["init"]);
    openwa.ok(&["keys", "create", "--name", "reader"]);
    let store = std::path::PathBuf::from(openwa.path("store"));
    let now = openwa_store::Timestamp::from_millis(now_millis()).unwrap();
    let day = std::time::Duration::from_secs(86_400);
    let data = rusqlite::Connection::open(store.join("data.sqlite")).unwrap();
    for (i, (name, status)) in
        [("shop-1", "ready"), ("日本語の店", "failed"), ("evil\u{1b}[2J\u{202e}eman\n", "disconnected")]
            .iter()
            .enumerate()
    {
        let id = format!("0195d0a0-0000-7000-8000-00000000000{i}");
        let at = now.minus(day).to_string();
        let sql =
            "INSERT INTO sessions (id, name, status, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)";
        data.execute(sql, [&id, &(*name).to_owned(), &(*status).to_owned(), &at]).unwrap();
    }
    for i in 0..30u32 {
        let at = now.minus(day * (i % 3)).to_string();
        let sql = "INSERT INTO messages (id, session_id, wa_message_id, chat_id, from_number, type, wa_timestamp, created_at)
                   VALUES (?1, '0195d0a0-0000-7000-8000-000000000000', ?1, 'c', 'c', 'text', ?2, ?2)";
        data.execute(sql, [&format!("0195d0a0-0000-7000-9000-{i:012}"), &at]).unwrap();
    }
    let main = rusqlite::Connection::open(store.join("main.sqlite")).unwrap();
    main.execute("UPDATE api_keys SET expires_at = ?1", [now.plus(day * 2).datetime().as_str()]).unwrap();
    openwa
}

fn now_millis() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// The screen in a terminal of this width.
fn screen_of(openwa: &Openwa, width: usize, args: &[&str]) -> String {
    let args = [&["status"], args].concat();
    succeeded(&args, openwa.command(&args).env("COLUMNS", width.to_string()).output().unwrap())
}

#[test]
fn the_status_screen_fits_and_obeys_nobody() {
    let openwa = troubled();
    for width in [40, 60, 80, 100, 140, 200] {
        let screen = screen_of(&openwa, width, &[]);
        for line in screen.lines() {
            assert!(console::measure_text_width(line) <= width, "{width}: {line:?}");
            assert_eq!(line.trim_end(), line, "{width}");
        }
        assert!(!screen.contains(['\u{1b}', '\u{202e}']), "{width}: a name reached the terminal");
        let wanted =
            ["3 problems", "! session 日本語の店 has failed", "evil·[2J", "MESSAGES PER DAY", "30 kept"];
        assert!(wanted.iter().all(|text| screen.contains(text)), "{screen}");
        assert!(
            ["1 ready", "expires in", "about 10 messages", "days are full in 27 days"]
                .iter()
                .all(|t| screen.contains(t)),
            "{screen}"
        );
    }
    // A narrow screen says the same of each problem, on more lines.
    let problems = |width| {
        let screen = screen_of(&openwa, width, &[]);
        let lines = screen.lines().skip(1).take_while(|line| !line.is_empty());
        lines.map(|line| line.trim_start().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(problems(30), problems(200));
    // Beside one another, or one below the other.
    let beside =
        |screen: &str| screen.lines().any(|l| l.contains("MESSAGES PER DAY") && l.contains("SESSIONS"));
    assert!(beside(&screen_of(&openwa, 140, &[])) && !beside(&screen_of(&openwa, 60, &[])));

    let coloured = screen_of(&openwa, 60, &["--color", "always"]);
    assert!(coloured.contains("\u{1b}[31m"));
    assert_eq!(console::strip_ansi_codes(&coloured), screen_of(&openwa, 60, &["--color", "never"]));
}

#[test]
fn the_status_screen_of_an_empty_store() {
    let openwa = Openwa::new();
    openwa.ok(&["init"]);
    let screen = screen_of(&openwa, 60, &["--days", "4"]);
    // What differs between two machines.
    let shown: Vec<&str> = screen
        .lines()
        .filter(|l| {
            !l.contains("left on the disk")
                && !l.contains(".sqlite")
                && !l.contains(" UTC")
                && !l.contains("SQLite")
        })
        .collect();
    assert_eq!(
        shown.join("\n"),
        "
DATABASES

MESSAGES PER DAY · 0 kept
  none in the last 4 days

SESSIONS
  none yet

GROWTH
  retention has not run yet"
    );
    assert!(screen.lines().next().unwrap().ends_with("all is well"));
}

#[test]
fn the_status_is_watched_where_there_is_no_terminal() {
    let openwa = troubled();
    let mut child =
        openwa.command(&["status", "--watch", "1", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let (first, second) = (next(), next());
    assert_eq!(first["databases"][1]["rows"]["messages"], 30);
    assert_eq!(first["databases"][1]["estimated"], serde_json::json!([]));
    assert!(first["at"].as_str() < second["at"].as_str());
    assert_eq!(first["problems"].as_array().unwrap().len(), 3);
    assert_eq!(first["sessions"].as_array().unwrap().len(), 3);
    drop(lines);
    // The next frame meets a closed pipe.
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(code(&openwa.run(&["status", "--watch", "0"])), 2);
}

/// `script` gives it a terminal. Whoever runs the tests in the background may have them ignore Ctrl-C.
#[cfg(target_os = "linux")]
#[test]
fn the_status_is_watched_in_a_terminal() {
    let openwa = troubled();
    let program = env!("CARGO_BIN_EXE_openwa");
    let watch = format!("stty rows 12 cols 70; exec env --default-signal=INT {program} status --watch 1");
    let args = ["--quiet", "--return", "--command", &watch, "/dev/null"];
    let mut terminal = openwa.around("script", &args);
    terminal.env("PATH", "/usr/bin:/bin").env("TERM", "xterm");
    let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut seen, mut some) = (String::new(), [0; 4096]);
    // Once on an empty screen, then twice over what was there: a screen of 12 lines has room for 11.
    while seen.matches("\u{1b}[11A").count() < 2 {
        let n = out.read(&mut some).unwrap();
        assert!(n > 0, "it ended: {seen}");
        seen += &String::from_utf8_lossy(&some[..n]);
    }
    assert_eq!(seen.matches("\u{1b}[2J").count(), 1, "{seen}");
    assert!(seen.matches("3 problems").count() >= 2, "{seen}");
    assert!(seen.contains("\u{1b}[31m"), "in colour: {seen}");
    // The return before a frame would count as a character of its first line.
    let widest = seen.split(['\r', '\n']).map(console::measure_text_width).max();
    assert!(widest <= Some(70), "{seen}");
    // Ctrl-C ends it.
    keys.write_all(b"\x03").unwrap();
    out.read_to_end(&mut Vec::new()).unwrap();
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), Some(130), "{ended}");
}
