//! Private clusters are real ones; Docker is a script that keeps a container's state in files.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::answer::{Login, is_there};
use super::{Builtin, BuiltinOptions};
use crate::error::{Error, Kind, Result};

/// A folder that other users may enter, as a server's data need it.
fn folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn options(dir: &Path, port: u16) -> BuiltinOptions<'_> {
    BuiltinOptions {
        dir,
        user: "owner",
        password: Some("fictional"),
        database: "it's a \"store\"",
        port,
        wait: Duration::from_secs(60),
        path: None,
    }
}

fn start(options: &BuiltinOptions<'_>) -> Result<Builtin> {
    Builtin::start(options, &|_| ())
}

#[track_caller]
fn refused(options: &BuiltinOptions<'_>, kind: Kind) -> Error {
    let e = start(options).err().expect("this should have been refused");
    assert_eq!(e.kind(), kind, "{e:?}");
    e
}

fn answers(builtin: &Builtin) -> bool {
    is_there(&builtin.address(), &builtin.login)
}

/// Whether a server runs in the folder.
fn runs(dir: &Path) -> bool {
    dir.join("postgres/data/postmaster.pid").exists()
}

/// A process that dies takes its lock with it, and stops nothing.
fn die(mut builtin: Builtin) {
    drop(builtin.users.take());
}

#[test]
fn everyone_shares_one_server_and_the_last_one_stops_it() {
    let (dir, port) = (folder(), free_port());
    let told = RefCell::new(Vec::new());
    let first = Builtin::start(&options(dir.path(), port), &|what| told.borrow_mut().push(what.to_owned()));
    let first = first.unwrap();
    assert!(answers(&first) && told.borrow().len() >= 2, "{told:?}");
    // Whoever comes later finds the server where it is, whatever they asked for.
    let second = start(&options(dir.path(), free_port())).unwrap();
    assert_eq!(second.address(), first.address());
    first.stop().unwrap();
    assert!(answers(&second));
    drop(second);
    assert!(!runs(dir.path()));
    let third = start(&options(dir.path(), port)).unwrap();
    die(third);
    assert!(runs(dir.path()), "nobody was left to stop it");
    start(&options(dir.path(), port)).unwrap().stop().unwrap();
    assert!(!runs(dir.path()));
}

#[test]
fn a_crashed_server_is_started_again() {
    let (dir, port) = (folder(), free_port());
    let file = dir.path().join("postgres/data/postmaster.pid");
    // The number in its file is nobody's, and then somebody else's.
    for reused in [false, true] {
        let builtin = start(&options(dir.path(), port)).unwrap();
        let left = fs::read_to_string(&file).unwrap();
        let pid = left.lines().next().unwrap();
        assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
        die(builtin);
        if reused {
            let theirs = left.replacen(pid, &std::process::id().to_string(), 1);
            fs::write(&file, theirs).unwrap();
        }
        let again = start(&options(dir.path(), port)).unwrap();
        assert!(answers(&again));
        again.stop().unwrap();
    }
}

#[test]
fn the_password_stays_what_it_was_made_with() {
    let (dir, port) = (folder(), free_port());
    let drawn = || BuiltinOptions { password: None, ..options(dir.path(), port) };
    let builtin = start(&drawn()).unwrap();
    let password = builtin.password().to_owned();
    assert!(password.len() >= 32);
    builtin.stop().unwrap();
    let again = start(&drawn()).unwrap();
    assert_eq!(again.password(), password);
    let wrong = Login { user: "owner".into(), password: "wrong".into(), database: "postgres".into() };
    let e = super::answer::wait_for(&again.address(), &wrong, std::time::Instant::now(), &|_| (), || Ok(()));
    assert_eq!(e.unwrap_err().context("variable"), Some("DATABASE_PASSWORD"));
    again.stop().unwrap();
    let e = refused(&options(dir.path(), port), Kind::PermissionDenied);
    assert_eq!(e.context("variable"), Some("DATABASE_PASSWORD"));
    assert!(!runs(dir.path()), "what a failed start began it ends");
}

#[test]
fn a_port_in_use_is_said_to_be() {
    let dir = folder();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let e = refused(&options(dir.path(), port), Kind::InvalidArgument);
    assert_eq!(e.context("port"), Some(port.to_string().as_str()));
    drop(taken);
    start(&options(dir.path(), port)).unwrap().stop().unwrap();
}

#[test]
fn a_server_that_is_not_there_in_time_is_given_up() {
    let (dir, port) = (folder(), free_port());
    let soon = BuiltinOptions { wait: Duration::ZERO, ..options(dir.path(), port) };
    refused(&soon, Kind::Timeout);
    assert!(!runs(dir.path()));
    // Another process is at it, and does not finish.
    let home = super::home::Home::open(&dir.path().join("postgres")).unwrap();
    let _turn = home.turn(std::time::Instant::now() + Duration::from_secs(10)).unwrap();
    refused(&soon, Kind::Timeout);
}

#[test]
fn a_folder_that_cannot_be_used_is_said_to_be() {
    let dir = folder();
    // Closed to us; or if we are root, to whom the server runs as.
    fs::set_permissions(dir.path(), Permissions::from_mode(0o500)).unwrap();
    refused(&options(dir.path(), free_port()), Kind::PermissionDenied);
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    refused(&options(&file, free_port()), Kind::Io);
}

/// A folder of programs, each a shell script.
fn programs(scripts: &[(&str, &str)]) -> TempDir {
    let dir = folder();
    for (name, script) in scripts {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

/// A store's folder, programs, and a port: what the tests with programs of their own need.
fn with<'a>(dir: &'a Path, programs: &TempDir, port: u16) -> BuiltinOptions<'a> {
    let path = std::env::join_paths([programs.path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    BuiltinOptions { path: Some(path), ..options(dir, port) }
}

#[test]
fn missing_and_failing_programs_are_told_apart() {
    let dir = folder();
    let none = programs(&[]);
    let e = refused(&with(dir.path(), &none, 1), Kind::Unsupported);
    assert!(e.message().contains("apt-get install postgresql"), "{e}");
    let old = [("initdb", ""), ("pg_ctl", ""), ("postgres", "echo 'postgres (PostgreSQL) 11.22'")];
    refused(&with(dir.path(), &programs(&old), 1), Kind::Unsupported);

    let failing = "echo 'initdb: error: the reason' >&2; echo 'initdb: removing what it made' >&2; exit 1";
    let failing =
        [("initdb", failing), ("pg_ctl", ""), ("postgres", "echo 'postgres (PostgreSQL) 15.18 (Debian)'")];
    let e = refused(&with(dir.path(), &programs(&failing), 1), Kind::Io);
    assert_eq!(e.message(), "initdb failed: initdb: error: the reason");
    assert!(!dir.path().join("postgres/data").exists());

    fs::create_dir_all(dir.path().join("postgres/data")).unwrap();
    fs::write(dir.path().join("postgres/data/PG_VERSION"), "13\n").unwrap();
    let e = refused(&with(dir.path(), &programs(&failing), 1), Kind::Unsupported);
    assert!(e.message().contains("postgresql-13"), "{e}");
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let (dir, port) = (folder(), free_port());
    start(&options(dir.path(), port)).unwrap().stop().unwrap();
    let settings = dir.path().join("postgres/data/postgresql.conf");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}\nno_such_setting = 1\n")).unwrap();
    let e = refused(&options(dir.path(), port), Kind::Unavailable);
    assert!(e.message().contains("contains errors"), "{e}");
}

/// Docker, as far as it is needed. `engine` exists: it answers. `container` holds the state.
const DOCKER: &str = r#"
cd "$(dirname "$0")" && echo "$*" >>calls
case "$1" in
  info) [ -e engine ] || { echo 'Cannot connect to the Docker daemon' >&2; exit 1; };;
  container)
    [ -e container ] || { echo 'Error: No such container' >&2; exit 1; }
    case "$4" in
      *Running*) grep -q running container && echo true || echo false;;
      *StartedAt*) cat started;;
      *Ports*) cat port;;
    esac;;
  run|start)
    [ ! -e refuses ] || { cat refuses >&2; touch container; exit 125; }
    [ "$1" = start ] || { echo "$POSTGRES_USER $POSTGRES_PASSWORD $POSTGRES_DB" >variables; }
    [ -e dies ] && echo exited >container || echo running >container
    date +%s.%N >started;;
  stop) echo exited >container;;
  rm) rm container;;
  logs) echo 'the last words';;
esac
"#;

/// A fake Docker whose container's server is a private cluster.
struct Fake {
    docker: TempDir,
    port: u16,
    _server: (TempDir, Builtin),
}

impl Fake {
    fn new() -> Self {
        let (docker, dir, port) = (programs(&[("docker", DOCKER)]), folder(), free_port());
        let server = start(&options(dir.path(), port)).unwrap();
        let fake = Fake { docker, port, _server: (dir, server) };
        fake.put("engine", "");
        fake.put("port", &port.to_string());
        fake
    }

    fn path(&self, name: &str) -> PathBuf {
        self.docker.path().join(name)
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default().trim().to_owned()
    }

    fn options<'a>(&self, dir: &'a Path) -> BuiltinOptions<'a> {
        with(dir, &self.docker, self.port)
    }
}

#[test]
fn the_container_is_made_and_stopped() {
    let (fake, dir) = (Fake::new(), folder());
    let builtin = start(&fake.options(dir.path())).unwrap();
    assert_eq!(builtin.address(), ("127.0.0.1".to_owned(), fake.port));
    assert!(answers(&builtin));
    let calls = fake.read("calls");
    let published = format!("--publish 127.0.0.1:{}:5432", fake.port);
    assert!(calls.contains("run --detach --name openwa-postgres") && calls.contains(&published), "{calls}");
    assert_eq!(fake.read("variables"), "owner fictional it's a \"store\"");
    assert!(!calls.contains("fictional"), "everybody can read a program's arguments");
    let other = start(&fake.options(dir.path())).unwrap();
    drop(builtin);
    assert_eq!(fake.read("container"), "running");
    drop(other);
    assert_eq!(fake.read("container"), "exited");
    let again = start(&fake.options(dir.path())).unwrap();
    assert!(fake.read("calls").contains("start openwa-postgres"));
    drop(again);
    assert_eq!(fake.read("container"), "exited");
}

#[test]
fn a_container_that_somebody_else_started_runs_on() {
    let (fake, dir) = (Fake::new(), folder());
    fake.put("container", "running");
    fake.put("started", "by somebody else");
    drop(start(&fake.options(dir.path())).unwrap());
    assert_eq!(fake.read("container"), "running");
    // So does one that we started once, when somebody else has started it anew.
    fake.put("container", "exited");
    let builtin = start(&fake.options(dir.path())).unwrap();
    fake.put("started", "by somebody else again");
    drop(builtin);
    assert_eq!(fake.read("container"), "running");
}

#[test]
fn what_docker_refuses_is_passed_on() {
    let (fake, dir) = (Fake::new(), folder());
    fake.put("refuses", "docker: Error response from daemon: Bind failed: port is already allocated.");
    let e = refused(&fake.options(dir.path()), Kind::InvalidArgument);
    assert_eq!(e.context("port"), Some(fake.port.to_string().as_str()));
    assert!(!fake.path("container").exists(), "what could not be started is not in the way");
    fake.put("refuses", "docker: Error response from daemon: no such image.\nSee 'docker run --help'.\n");
    let e = refused(&fake.options(dir.path()), Kind::Unavailable);
    assert!(e.message().ends_with("no such image."), "{e}");
}

#[test]
fn a_container_that_ends_is_not_waited_for() {
    let (fake, dir) = (Fake::new(), folder());
    fake.put("dies", "");
    fake.put("port", &free_port().to_string());
    let e = refused(&fake.options(dir.path()), Kind::Unavailable);
    assert!(e.message().ends_with("the last words"), "{e}");
}

#[test]
fn the_data_stay_where_they_are() {
    let (fake, dir) = (Fake::new(), folder());
    drop(start(&fake.options(dir.path())).unwrap());
    fs::remove_file(fake.path("engine")).unwrap();
    let e = refused(&fake.options(dir.path()), Kind::Unavailable);
    assert!(e.message().contains("start Docker"), "{e}");

    // A client without an engine is no Docker; and a cluster that is there is used though an engine answers later.
    let dir = folder();
    let private = || {
        let everything = super::Programs::new(None).path();
        let path = std::env::join_paths(
            std::iter::once(fake.docker.path().to_owned()).chain(std::env::split_paths(&everything)),
        );
        BuiltinOptions { path: Some(path.unwrap()), ..options(dir.path(), free_port()) }
    };
    let builtin = start(&private()).unwrap();
    assert!(runs(dir.path()));
    drop(builtin);
    fake.put("engine", "");
    let builtin = start(&private()).unwrap();
    assert!(runs(dir.path()));
    drop(builtin);
}
