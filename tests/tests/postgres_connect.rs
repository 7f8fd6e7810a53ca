//! Every way in which a connection can fail has an error that says what to do, in bounded time.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use openwa_store::{Config, Error, Kind, MessageFilter, PageRequest, Postgres, Store, Tls};
use openwa_tests::cluster::{Cluster, Options, USER};
use openwa_tests::conformance::{in_threads, incoming, new_session, refused};
use openwa_tests::postgres::{Place, Way, config, environment};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// How long opening and calls may wait, and how much later an error may come on a busy machine.
const WAIT: Duration = Duration::from_millis(800);
const BOUND: Duration = Duration::from_secs(10);

fn open(postgres: Postgres) -> Result<(TempDir, Store), Error> {
    let dir = tempfile::tempdir().unwrap();
    let postgres = Postgres { wait: WAIT, timeout: WAIT, ..postgres };
    let store = Store::open_with(config(postgres, dir.path()))?;
    Ok((dir, store))
}

/// Opening fails in this way and soon; the error says one of these words, and never the password.
#[track_caller]
fn fails(postgres: Postgres, kind: Kind, word: &str) {
    let secret = postgres.password.clone().unwrap_or_default();
    let begun = Instant::now();
    let e = refused(open(postgres), kind);
    assert!(begun.elapsed() < BOUND, "{e:?} came after {:?}", begun.elapsed());
    assert_eq!(e.operation(), Some("open"), "{e:?}");
    let said = e.to_string();
    assert!(said.contains(word), "{word:?} is not in: {said}");
    assert!(secret.is_empty() || !format!("{e:?}").contains(&secret), "{e:?}");
}

#[test]
fn wrong_names_and_passwords() {
    for way in [Way::Partitioned, Way::Bouncer] {
        let place = Place::empty(way);
        let wrong = |change: &dyn Fn(&mut Postgres)| {
            let mut postgres = place.postgres();
            change(&mut postgres);
            postgres
        };
        let denied = Kind::PermissionDenied;
        fails(wrong(&|p| p.password = Some("not the password".into())), denied, "DATABASE_PASSWORD");
        fails(wrong(&|p| p.password = None), denied, "DATABASE_PASSWORD");
        fails(wrong(&|p| p.user = "nobody_at_all".into()), denied, "DATABASE_USERNAME");
        // PgBouncer keeps to itself that there is no such database, and lets its clients wait.
        let (kind, word) = match way {
            Way::Bouncer => (Kind::Unavailable, "no_such_database"),
            _ => (Kind::NotFound, "DATABASE_NAME"),
        };
        fails(wrong(&|p| p.database = "no_such_database".into()), kind, word);
        assert!(open(place.postgres()).is_ok());
    }
}

#[test]
fn nobody_there() {
    let database = Cluster::shared().database();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fails(Postgres { port: free, ..database.postgres() }, Kind::Unavailable, &free.to_string());
    let unknown = "no-such-host.invalid".to_owned();
    fails(Postgres { host: unknown, ..database.postgres() }, Kind::Unavailable, "no-such-host.invalid");
    fails(
        Postgres { host: "/no/such/folder".into(), ..database.postgres() },
        Kind::Unavailable,
        "/no/such/folder",
    );
}

/// Somebody else's server: one that says nothing, one that hangs up, one that speaks another language.
#[test]
fn somebody_else_there() {
    for greeting in [None, Some(""), Some("HTTP/1.1 400 Bad Request\r\n\r\n")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                match greeting {
                    None => kept.push(stream),
                    Some(text) => drop(stream.write_all(text.as_bytes())),
                }
            }
        });
        fails(
            Postgres { port, ..Cluster::shared().database().postgres() },
            Kind::Unavailable,
            &port.to_string(),
        );
    }
}

#[test]
fn a_role_without_rights() {
    let database = Cluster::shared().database();
    let sql = database.sql();
    sql.run("CREATE ROLE weak LOGIN PASSWORD 'fictional'");
    let weak = Postgres { user: "weak".into(), password: Some("fictional".into()), ..database.postgres() };
    fails(weak.clone(), Kind::PermissionDenied, "grant");
    sql.run("REVOKE ALL ON SCHEMA public FROM PUBLIC");
    fails(weak.clone(), Kind::PermissionDenied, "grant");
    fails(Postgres { schema: "gateway".into(), ..weak }, Kind::PermissionDenied, "grant");
    drop(database);
    Cluster::shared().sql("postgres").run("DROP ROLE weak");
}

#[test]
fn no_connection_left() {
    let cluster = Cluster::new(&Options { fsync: false, connections: 5, ..Options::default() });
    let database = cluster.database();
    // Of five, three are the superuser's, who takes all the same.
    let hogs: Vec<_> = (0..5)
        .map_while(|_| openwa_tests::cluster::Sql::connect("127.0.0.1", cluster.port(), "postgres").ok())
        .collect();
    assert!(hogs.len() >= 4);
    fails(database.postgres(), Kind::Unavailable, "max_connections");
    drop(hogs);
    // A store makes do with what there is, however many ask.
    let (_dir, store) = open(Postgres { timeout: BOUND, ..database.postgres() }).unwrap();
    let session = new_session(&store, "shop-1");
    in_threads(16, |n| {
        let saved = || store.messages().save(session, incoming(&n.to_string(), "x")).wait();
        let deadline = Instant::now() + BOUND;
        while let Err(e) = saved() {
            assert!(e.kind() == Kind::Unavailable && Instant::now() < deadline, "{e:?}");
        }
    });
}

#[test]
fn a_database_of_something_else_or_of_a_newer_version() {
    let place = Place::empty(Way::Partitioned);
    place.sql().run("CREATE TABLE messages (id int)");
    fails(place.postgres(), Kind::ForeignDatabase, place.database.name());
    let place = Place::empty(Way::Partitioned);
    open(place.postgres()).unwrap();
    place.sql().run("UPDATE openwa_migrations SET checksum = 'another'");
    fails(place.postgres(), Kind::SchemaChanged, "001");
    let place = Place::empty(Way::Partitioned);
    open(place.postgres()).unwrap();
    place.sql().run("UPDATE openwa_migrations SET version = version + 900");
    fails(place.postgres(), Kind::SchemaTooNew, "90");
}

#[test]
fn a_schema_is_a_store_of_its_own() {
    let place = Place::empty(Way::Partitioned);
    let of = |schema: &str| Postgres { schema: schema.into(), ..place.postgres() };
    let odd = "Schema \"of\" FROM messages";
    for schema in ["public", "gateway", odd] {
        let (_dir, store) = open(of(schema)).unwrap();
        let session = new_session(&store, "shop-1");
        store.messages().save(session, incoming("A", schema)).wait().unwrap();
        assert_eq!(store.messages().count(session, &MessageFilter::default()).unwrap(), 1);
        assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    }
    let (_dir, store) = open(of("gateway")).unwrap();
    let session = store.sessions().find("shop-1").unwrap().unwrap().id;
    let message = store.messages().find(session, "A").unwrap().unwrap();
    assert_eq!(message.body.unwrap().to_string(), "gateway");
    let schemas = "SELECT count(DISTINCT schemaname) FROM pg_tables WHERE tablename = 'messages'";
    assert_eq!(place.sql().number(schemas), 3);
}

#[test]
fn the_environment_says_all_of_it() {
    let place = Place::empty(Way::Partitioned);
    let mut variables = environment(&place.postgres());
    variables.push(("POSTGRES_SCHEMA", "gateway".to_owned()));
    let read = |variables: &[(&str, String)], dir: &std::path::Path| {
        Config::from_vars(dir, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()))
    };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with(read(&variables, dir.path()).unwrap()).unwrap();
    let _ = new_session(&store, "shop-1");
    assert_eq!(place.sql().column("SELECT name FROM gateway.sessions"), ["shop-1"]);
    for (name, value) in [("DATABASE_PORT", "none"), ("DATABASE_PORT", "70000"), ("DATABASE_SSL", "maybe")] {
        let mut wrong = variables.clone();
        wrong.retain(|(n, _)| *n != name);
        wrong.push((name, value.to_owned()));
        let e = refused(read(&wrong, dir.path()), Kind::InvalidArgument);
        assert_eq!(e.context("variable"), Some(name), "{e:?}");
    }
}

#[test]
fn a_read_that_takes_too_long_is_ended() {
    let place = Place::empty(Way::Partitioned);
    let (_dir, store) =
        open(Postgres { read_timeout: Some(Duration::from_millis(300)), ..place.postgres() }).unwrap();
    let session = new_session(&store, "shop-1");
    let list = || store.messages().list(session, &MessageFilter::default(), &PageRequest::default());
    assert!(list().is_ok());
    let other = place.sql();
    other.run("BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE");
    let begun = Instant::now();
    let e = refused(list(), Kind::Timeout);
    assert!(e.retryable() && begun.elapsed() < BOUND, "{e:?}");
    other.run("ROLLBACK");
    assert!(list().is_ok());
}

/// Certificates: an authority, and what it issued for `localhost`.
struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("roots.pem"), issuer.pem()).unwrap();
        Authority { dir, issuer }
    }

    fn roots(&self) -> Option<PathBuf> {
        Some(self.dir.path().join("roots.pem"))
    }

    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

#[test]
fn encryption_is_what_it_is_asked_to_be() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let certificate = Some(ours.issue("localhost"));
    let cluster = Cluster::new(&Options { fsync: false, certificate, ..Options::default() });
    let database = cluster.database();
    let with = |tls: Tls, host: &str, roots: Option<PathBuf>| Postgres {
        tls,
        host: host.into(),
        tls_roots: roots,
        ..database.postgres()
    };
    let encrypted = |postgres: Postgres| {
        let (_dir, store) = open(postgres).unwrap();
        let _ = new_session(&store, &format!("shop-{}", uuid::Uuid::now_v7()));
        let query = format!(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
             WHERE application_name = 'openwa-store' AND datname = '{}'",
            database.name()
        );
        cluster.sql("postgres").value(&query) == "t"
    };
    assert!(!encrypted(with(Tls::Disable, "127.0.0.1", None)));
    assert!(encrypted(with(Tls::Prefer, "127.0.0.1", None)));
    assert!(encrypted(with(Tls::Require, "127.0.0.1", None)));
    assert!(encrypted(with(Tls::VerifyCa, "127.0.0.1", ours.roots())));
    assert!(encrypted(with(Tls::VerifyFull, "localhost", ours.roots())));
    let denied = Kind::PermissionDenied;
    fails(with(Tls::VerifyFull, "127.0.0.1", ours.roots()), denied, "certificate");
    fails(with(Tls::VerifyCa, "127.0.0.1", theirs.roots()), denied, "certificate");
    fails(with(Tls::VerifyFull, "localhost", theirs.roots()), denied, "certificate");
    let nothing = Some(ours.dir.path().join("nothing.pem"));
    fails(with(Tls::VerifyFull, "localhost", nothing), Kind::InvalidArgument, "nothing.pem");

    // A server that does not encrypt.
    let plain = Cluster::shared().database();
    assert!(open(Postgres { tls: Tls::Prefer, ..plain.postgres() }).is_ok());
    fails(Postgres { tls: Tls::Require, ..plain.postgres() }, denied, "encrypted");
    let socket = Postgres { host: Cluster::shared().socket(), tls: Tls::Prefer, ..plain.postgres() };
    assert!(open(socket).is_ok(), "a socket in the file system needs no encryption");
    assert_eq!(plain.postgres().user, USER);
}
