//! PgBouncer in transaction mode before a cluster, as Debian 12 ships it (1.18, which knows no prepared statements).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use openwa_store::Postgres;

use crate::cluster::{Cluster, Database, PASSWORD, Sql, USER};
use crate::server::{Home, Server, find, free_port, shown};

/// Connections that the pool keeps to each database.
pub const POOL: u32 = 5;

/// A running PgBouncer.
pub struct Bouncer {
    /// Stopped when this value goes.
    _server: Server,
    port: u16,
}

impl Bouncer {
    /// Starts one before `cluster`.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        for _ in 0..5 {
            let port = free_port();
            let mut server = prepare(cluster, port);
            let ready = || Sql::connect("127.0.0.1", port, "postgres").is_ok();
            match server.start("FATAL", ready) {
                Ok(()) => return Bouncer { _server: server, port },
                Err(log) => assert!(log.contains("in use"), "PgBouncer did not start:\n{log}"),
            }
        }
        panic!("no port stayed free");
    }

    /// Its port of 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How a store reaches a database through it.
    #[must_use]
    pub fn postgres(&self, database: &Database<'_>) -> Postgres {
        Postgres { port: self.port, ..database.postgres() }
    }
}

fn prepare(cluster: &Cluster, port: u16) -> Server {
    let home = Home::new("bouncer");
    home.write("users", &format!("\"{USER}\" \"{PASSWORD}\"\n"));
    let settings = format!(
        "[databases]
* = host={socket} port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {POOL}
max_client_conn = 2000
log_connections = 0
log_disconnections = 0
",
        socket = cluster.socket(),
        server = cluster.port(),
        users = shown(&home.path.join("users")),
    );
    home.write("pgbouncer.ini", &settings);
    let settings = home.path.join("pgbouncer.ini");
    Server::new(home, "TERM", &[find("pgbouncer").into(), settings.into()])
}

/// A neighbour who prepares named statements through the pool and leaves them there: under the names that client
/// libraries choose, with answers of another kind.
pub struct Neighbour {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Neighbour {
    /// Starts polluting the connections to `database`.
    #[must_use]
    pub fn new(bouncer: &Bouncer, database: &Database<'_>) -> Self {
        let (port, database) = (bouncer.port, database.name().to_owned());
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut left = 0;
            while !stop.load(Ordering::Relaxed) {
                left += pollute(port, &database);
            }
            left
        });
        Neighbour { over, thread: Some(thread) }
    }

    /// Stops, and says how many statements were left in the pool.
    #[must_use]
    pub fn stop(mut self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn pollute(port: u16, database: &str) -> u64 {
    let Ok(mut sql) = Sql::connect("127.0.0.1", port, database) else { return 0 };
    let mut left = 0;
    for n in 0..20 {
        for name in [format!("s{n}"), format!("sqlx_s_{n}"), format!("S_{n}")] {
            let wrong = format!("PREPARE \"{name}\" AS SELECT 'not yours'::text, {n}, now()");
            left += u64::from(sql.rows_or_error(&wrong).is_ok());
        }
    }
    // As a client library does it: by the protocol, and not cleaned up when the connection breaks off.
    left + sql.with(async |client| {
        let mut statements = Vec::new();
        for n in 0..20 {
            if let Ok(statement) = client.prepare(&format!("SELECT {n}, 'not yours'")).await {
                statements.push(statement);
            }
        }
        let left = statements.len() as u64;
        std::mem::forget(statements);
        left
    })
}
