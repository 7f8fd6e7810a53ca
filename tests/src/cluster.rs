//! Private PostgreSQL clusters: one per test process for what needs any server, and others for tests that stop or
//! configure theirs.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use openwa_store::{Postgres, Tls};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::server::{Home, Server, find, free_port, shown};

/// The superuser of every cluster.
pub const USER: &str = "openwa";
/// Its password.
pub const PASSWORD: &str = "a fictional password";
/// What a server says when another program has its port.
const PORT_TAKEN: &str = "could not bind";

/// What a cluster is like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether commits reach the disk. What does not ask for durability is faster without.
    pub fsync: bool,
    /// The server's time zone.
    pub timezone: &'static str,
    /// The most connections it takes.
    pub connections: u32,
    /// Its certificate and key, in PEM; `None`: it does not encrypt.
    pub certificate: Option<(String, String)>,
    /// Other settings.
    pub settings: Vec<(&'static str, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            fsync: true,
            timezone: "America/Sao_Paulo",
            connections: 200,
            certificate: None,
            settings: Vec::new(),
        }
    }
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// As by `pg_ctl stop -m fast`: clients are cut off, everything is written.
    Fast,
    /// As by `pg_ctl stop -m immediate`: like a crash.
    Immediate,
}

/// A running PostgreSQL server with its own data. Dropped, and when the process ends in whatever way, it is stopped
/// and removed.
pub struct Cluster {
    server: Mutex<Server>,
    port: u16,
    made: AtomicU32,
}

impl Cluster {
    /// The one of this process, made at first use. It does not sync, and its zone is not UTC.
    #[must_use]
    pub fn shared() -> &'static Cluster {
        static SHARED: LazyLock<Cluster> =
            LazyLock::new(|| Cluster::new(&Options { fsync: false, ..Options::default() }));
        &SHARED
    }

    /// A new one.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        // Another program may take the port between the question and the start.
        for _ in 0..5 {
            let port = free_port();
            let mut server = prepare(options, port);
            match start(&mut server, port) {
                Ok(()) => return Cluster { server: Mutex::new(server), port, made: AtomicU32::new(0) },
                Err(log) => assert!(log.contains(PORT_TAKEN), "the server did not start:\n{log}"),
            }
        }
        panic!("no port stayed free");
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the server; its data stay.
    pub fn stop(&self, how: Stop) {
        let signal = match how {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        self.server().stop(signal);
    }

    /// Starts the server again.
    pub fn start(&self) {
        start(&mut self.server(), self.port).unwrap();
    }

    /// Stops the server and starts it again.
    pub fn restart(&self, how: Stop) {
        self.stop(how);
        self.start();
    }

    /// Its port of 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with its Unix socket.
    #[must_use]
    pub fn socket(&self) -> String {
        shown(&self.server().home.path).to_owned()
    }

    /// What the server wrote into its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.server().log()
    }

    /// A session with a database of this server, which must be running.
    #[must_use]
    pub fn sql(&self, database: &str) -> Sql {
        Sql::connect(&self.socket(), self.port, database).unwrap()
    }

    /// An empty database.
    #[must_use]
    pub fn database(&self) -> Database<'_> {
        self.make("template0")
    }

    fn make(&self, template: &str) -> Database<'_> {
        let name = format!("store_{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres").run(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Database { cluster: self, name }
    }
}

fn prepare(options: &Options, port: u16) -> Server {
    let home = Home::new("pg");
    let data = home.path.join("data");
    home.write("password", PASSWORD);
    let made = home
        .command(find("initdb"))
        .args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"])
        .args(["--no-sync", "--no-instructions", "--pwfile", shown(&home.path.join("password"))])
        .args(["--pgdata", shown(&data)])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let settings = [
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
        ("unix_socket_directories", shown(&home.path).to_owned()),
        ("timezone", options.timezone.to_owned()),
        ("max_connections", options.connections.to_string()),
        ("fsync", if options.fsync { "on" } else { "off" }.to_owned()),
        ("full_page_writes", if options.fsync { "on" } else { "off" }.to_owned()),
        ("max_wal_size", "2GB".to_owned()),
    ];
    let mut settings = settings.to_vec();
    settings.extend(options.settings.iter().cloned());
    if let Some((certificate, key)) = &options.certificate {
        settings.push(("ssl", "on".to_owned()));
        for (name, file, content) in
            [("ssl_cert_file", "cert.pem", certificate), ("ssl_key_file", "key.pem", key)]
        {
            home.write(file, content);
            settings.push((name, shown(&home.path.join(file)).to_owned()));
        }
    }
    let mut command: Vec<OsString> = vec![find("postgres").into(), "-D".into(), data.into()];
    for (name, value) in settings {
        command.extend(["-c".into(), format!("{name}={value}").into()]);
    }
    Server::new(home, "QUIT", &command)
}

fn start(server: &mut Server, port: u16) -> Result<(), String> {
    let socket = shown(&server.home.path).to_owned();
    server.start("database system is shut down", || Sql::connect(&socket, port, "postgres").is_ok())
}

/// A database of a cluster, dropped with this value.
pub struct Database<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl<'a> Database<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster that it is in.
    #[must_use]
    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// Another database with the same content. Nobody may be connected to this one.
    #[must_use]
    pub fn copy(&self) -> Database<'a> {
        self.cluster.make(&self.name)
    }

    /// How a store reaches it, over TCP as stores mostly do.
    #[must_use]
    pub fn postgres(&self) -> Postgres {
        Postgres {
            host: "127.0.0.1".to_owned(),
            port: self.cluster.port,
            user: USER.to_owned(),
            password: Some(PASSWORD.to_owned()),
            database: self.name.clone(),
            tls: Tls::Disable,
            ..Postgres::default()
        }
    }

    /// A session with it, for what a test must know that the public API does not tell.
    #[must_use]
    pub fn sql(&self) -> Sql {
        self.cluster.sql(&self.name)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // The server may be stopped; the database goes with its cluster then.
        if let Ok(sql) = Sql::connect(&self.cluster.socket(), self.cluster.port, "postgres") {
            let _ = sql.rows_or_error(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// A session of a test's own with a server.
pub struct Sql {
    runtime: Runtime,
    client: Client,
}

impl Sql {
    /// Connects to a database at a host, or at the folder of a socket.
    ///
    /// # Errors
    /// Those of the server and of the way to it.
    pub fn connect(host: &str, port: u16, database: &str) -> Result<Self, tokio_postgres::Error> {
        let mut config = Config::new();
        config.port(port).user(USER).password(PASSWORD).dbname(database);
        if host.starts_with('/') {
            config.host_path(Path::new(host))
        } else {
            config.host(host)
        };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (client, connection) = runtime.block_on(config.connect(NoTls))?;
        // It runs while this session waits for an answer.
        runtime.spawn(connection);
        Ok(Sql { runtime, client })
    }

    /// Every row of the last statement's answer, as text.
    ///
    /// # Errors
    /// Those of the server.
    pub fn rows_or_error(&self, sql: &str) -> Result<Vec<Vec<String>>, tokio_postgres::Error> {
        let messages = self.runtime.block_on(self.client.simple_query(sql))?;
        let mut rows = Vec::new();
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => {
                    let cell = |i| row.get(i).unwrap_or("NULL").to_owned();
                    rows.push((0..row.len()).map(cell).collect());
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    /// Every row of a query, as text.
    #[must_use]
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.rows_or_error(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"))
    }

    /// The first column of every row.
    #[must_use]
    #[track_caller]
    pub fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().map(|mut row| row.swap_remove(0)).collect()
    }

    /// The one value of a query.
    #[must_use]
    #[track_caller]
    pub fn value(&self, sql: &str) -> String {
        let mut column = self.column(sql);
        assert_eq!(column.len(), 1, "{sql}");
        column.swap_remove(0)
    }

    /// The one integer of a query.
    #[must_use]
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        self.value(sql).parse().unwrap()
    }

    /// Runs statements without an answer.
    #[track_caller]
    pub fn run(&self, sql: &str) {
        drop(self.rows(sql));
    }

    /// Runs what needs more of the client than text.
    pub fn with<T>(&mut self, work: impl AsyncFnOnce(&mut Client) -> T) -> T {
        self.runtime.block_on(work(&mut self.client))
    }
}
