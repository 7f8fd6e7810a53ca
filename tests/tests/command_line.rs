//! The command on PostgreSQL: every command that has to do with the Data database.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::path::Path;
use std::process::{Command, Output};

use openwa_tests::cluster::PASSWORD;
use openwa_tests::postgres::{Place, Way};
use serde_json::Value;

struct Openwa {
    folder: tempfile::TempDir,
    data: String,
    place: Place,
}

impl Openwa {
    fn new(way: Way) -> Self {
        let place = Place::empty(way);
        let server = place.database.postgres();
        let data = format!(
            "postgres://{}:{PASSWORD}@localhost:{}/{}?host={}&partitioned={}",
            server.user,
            server.port,
            server.database,
            server.host,
            way != Way::Plain
        );
        Openwa { folder: tempfile::tempdir().unwrap(), data, place }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_openwa_here"))
            .env_clear()
            .envs([("OPENWA_DIR", self.path("store").as_str()), ("OPENWA_DATA", &self.data)])
            .env("OPENWA_BACKUP_PASSWORD", "correct horse")
            .args(args)
            .output()
            .unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        let said = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
        assert!(out.status.success(), "{args:?}: {}{}", said(&out.stdout), said(&out.stderr));
        said(&out.stdout)
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["--json"], args].concat())).unwrap()
    }

    /// Runs it and looks for what it must say.
    fn says(&self, args: &[&str], what: &str) {
        let said = self.ok(args);
        assert!(said.contains(what), "{args:?}: {said}");
    }
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_command_works_on_postgresql() {
    for way in [Way::Partitioned, Way::Plain] {
        let openwa = Openwa::new(way);
        let server = openwa.place.database.postgres();
        let made = openwa.ok(&["init"]);
        assert!(made.contains(&format!("data: postgres://{}@", server.user)), "{made}");
        assert!(!made.contains(PASSWORD), "{made}");
        openwa.says(&["replay", &fixture("wwebjs-small.jsonl")], "65 ");
        openwa.says(&["status"], "PostgreSQL 15");
        let session = "desk";
        openwa.says(&["sessions"], session);
        openwa.says(&["chats", session], "@");
        openwa.says(&["messages", session], "@");
        openwa.says(&["db", "status"], "005_save");
        openwa.says(&["db", "check"], "sound");
        openwa.says(&["db", "indexes"], "message_ids_pkey");
        openwa.says(&["db", "reindex"], "indexes rebuilt");
        openwa.says(&["db", "vacuum"], "message_ids");
        openwa.says(&["db", "partitions"], if way == Way::Plain { "one table" } else { "messages_default" });
        openwa.says(&["secrets", "status"], "in clear");

        let document = openwa.path("export.json");
        openwa.says(&["export", &document], "Written");
        let (copy, rows) = (openwa.path("copy"), openwa.path("copy/data.sqlite"));
        openwa.ok(&["--dir", &copy, "--data", &rows, "init"]);
        openwa.ok(&["--dir", &copy, "--data", &rows, "import", &document]);
        openwa.says(&["--dir", &copy, "--data", &rows, "messages", session], "@");
        let moved = openwa.path("moved.sqlite");
        openwa.says(&["migrate", "--from", &openwa.data, "--to", &moved], "are the same");

        let repo = openwa.path("repo");
        openwa.says(&["backup", "create", "--repo", &repo], "verified");
        openwa.says(&["backup", "verify", "--repo", &repo], "1 of 1");
        openwa.says(&["maintenance", "run", "--once"], "retention of data: its first run is scheduled");
        openwa.says(&["retention"], "It waits: ");
        openwa.says(
            &["maintenance", "run", "retention"],
            "retention of data: done, 9 rows deleted: messages older",
        );
        openwa.says(&["retention", "accept"], "Accepted");
        openwa.says(&["maintenance", "run", "retention"], "rows are older than their window and go now");
        openwa.says(&["maintenance", "status"], "retention of data");
        assert_eq!(openwa.json(&["status"])["databases"][1]["rows"]["messages"], 0, "all are old");
        openwa.says(&["retention", "preview"], "Nothing");
        openwa.says(&["db", "check"], "sound");
    }
}

#[test]
fn the_status_of_many_messages_is_a_good_estimate() {
    for way in [Way::Partitioned, Way::Plain] {
        let openwa = Openwa::new(way);
        openwa.ok(&["init"]);
        openwa.ok(&["replay", &fixture("wwebjs-small.jsonl")]);
        // One message a minute, up to now: 1,440 a day.
        openwa.place.sql().run(
            "INSERT INTO messages (id, session_id, chat_id, from_number, type, body, wa_timestamp, created_at)
             SELECT gen_random_uuid(), (SELECT id FROM sessions), 'c', 'c', 'text', repeat('x', 100), t, t
               FROM (SELECT now() - n * interval '1 minute' AS t FROM generate_series(1, 30000) n) AS minutes",
        );
        openwa.place.sql().run("ANALYZE messages");
        let status = openwa.json(&["status"]);
        let data = &status["databases"][1];
        assert_eq!(data["estimated"][0], "messages", "{status}");
        let rows = data["rows"]["messages"].as_f64().unwrap();
        assert!((rows / 30_065.0 - 1.0).abs() < 0.05, "{status}");
        let days = status["days"].as_array().unwrap();
        for day in &days[1..13] {
            let messages = day["messages"].as_f64().unwrap();
            assert!((messages / 1440.0 - 1.0).abs() < 0.15, "{status}");
        }
    }
}
