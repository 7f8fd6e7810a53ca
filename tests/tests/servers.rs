//! The servers that other tests rely on: that they are what they seem, and leave nothing behind.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use openwa_tests::bouncer::{Bouncer, Neighbour, POOL};
use openwa_tests::cluster::{Cluster, Options, Sql, Stop};
use openwa_tests::process::{PATIENCE, Program, program};

#[test]
fn a_database_is_copied_with_what_is_in_it() {
    let original = Cluster::shared().database();
    original.sql().run("CREATE TABLE t (x int); INSERT INTO t VALUES (1), (2)");
    let copy = original.copy();
    copy.sql().run("DELETE FROM t WHERE x = 1");
    assert_eq!(original.sql().column("SELECT x FROM t ORDER BY x"), ["1", "2"]);
    assert_eq!(copy.sql().rows("SELECT x, NULL FROM t"), [["2", "NULL"]]);
}

#[test]
fn the_server_is_not_in_utc() {
    let sql = Cluster::shared().sql("postgres");
    assert_eq!(sql.value("SHOW timezone"), "America/Sao_Paulo");
    assert_eq!(sql.value("SHOW listen_addresses"), "127.0.0.1");
}

#[test]
fn what_was_committed_outlives_a_crash_of_the_server() {
    let cluster = Cluster::new(&Options::default());
    let database = cluster.database();
    let before = database.sql();
    before.run("CREATE TABLE t (x int)");
    for (n, how) in [Stop::Immediate, Stop::Fast, Stop::Immediate].into_iter().enumerate() {
        database.sql().run(&format!("INSERT INTO t VALUES ({n})"));
        cluster.stop(how);
        assert!(Sql::connect("127.0.0.1", cluster.port(), "postgres").is_err());
        cluster.start();
    }
    assert!(before.rows_or_error("SELECT 1").is_err(), "its connection broke with the server");
    assert_eq!(database.sql().value("SELECT count(*) FROM t"), "3");
    assert_eq!(database.sql().value("SHOW fsync"), "on");
}

#[test]
fn the_pool_shares_its_connections_between_transactions() {
    let (cluster, database) = (Cluster::shared(), Cluster::shared().database());
    let bouncer = Bouncer::new(cluster);
    let open = || Sql::connect("127.0.0.1", bouncer.port(), database.name()).unwrap();
    let clients: Vec<Sql> = (0..40).map(|_| open()).collect();
    clients.iter().for_each(|client| client.run("BEGIN; SELECT 1; COMMIT"));
    let backends = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'", database.name());
    assert!(cluster.sql("postgres").number(&backends) <= i64::from(POOL));
}

/// If a client that keeps named statements got along with it, it would prove nothing.
#[test]
fn the_neighbour_spoils_the_pool_for_named_statements() {
    let (cluster, database) = (Cluster::shared(), Cluster::shared().database());
    let bouncer = Bouncer::new(cluster);
    let neighbour = Neighbour::new(&bouncer, &database);
    let deadline = Instant::now() + PATIENCE;
    let mut spoiled = false;
    while !spoiled {
        assert!(Instant::now() < deadline, "named statements worked all the time");
        let mut sql = Sql::connect("127.0.0.1", bouncer.port(), database.name()).unwrap();
        spoiled = sql.with(async |client| client.query("SELECT $1::int", &[&7_i32]).await).is_err();
    }
    assert!(neighbour.stop() > 0);
}

#[test]
fn nothing_stays_behind_when_a_test_is_killed() {
    let holder = Program::start(Command::new(program("holder")).stdin(Stdio::piped()));
    let said = holder.read_until(|_| true).pop().unwrap();
    let [folder, server, bouncer] = said.split(' ').collect::<Vec<_>>()[..] else { panic!("{said}") };
    let ports = [server, bouncer].map(|port| port.parse::<u16>().unwrap());
    let answers = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
    assert!(ports.iter().all(answers) && Path::new(folder).exists());
    let _ = holder.kill();
    let deadline = Instant::now() + PATIENCE;
    while ports.iter().any(answers) || Path::new(folder).exists() {
        assert!(Instant::now() < deadline, "a server of a killed process is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}
