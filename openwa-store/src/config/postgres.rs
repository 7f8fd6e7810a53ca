//! Where a PostgreSQL server is and how it is used.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A PostgreSQL database as the Data database.
#[derive(Clone, PartialEq, Eq)]
pub struct Postgres {
    /// Name or address of the server, or the folder of its Unix socket; default `localhost`.
    pub host: String,
    /// Port; default 5432.
    pub port: u16,
    /// The role to log in as; default `postgres`.
    pub user: String,
    /// Its password.
    pub password: Option<String>,
    /// The database; default `openwa`.
    pub database: String,
    /// The schema that holds the tables, made if it is missing; default `public`.
    pub schema: String,
    /// Whether the connection is encrypted, and what is checked; default [`Tls::Prefer`].
    pub tls: Tls,
    /// A PEM file of the authorities to trust; `None`: those of the system.
    pub tls_roots: Option<PathBuf>,
    /// Whether `messages` is partitioned by month. Counts when the tables are made; default true.
    pub partitioned: bool,
    /// The most connections that this store opens; default 10.
    pub max_connections: u32,
    /// How long a call may wait for a connection, and a connection for its server; default 10 seconds.
    pub timeout: Duration,
    /// How long the server may work on one read; `None`: as long as it likes; default 30 seconds.
    pub read_timeout: Option<Duration>,
    /// How long opening waits for a server that does not answer yet; default 60 seconds.
    pub wait: Duration,
    /// Whether opening fails when the server has not answered by then. If not, the store opens without it: keys
    /// and audit work, and calls to Data fail with `Unavailable` until the server is there; default true.
    pub required: bool,
    /// Starts a server for this store if none answers: the container `openwa-postgres` where there is Docker, else a
    /// private cluster in the store's folder from the PostgreSQL programs of this machine; default false.
    pub builtin: bool,
}

/// How a connection to a server is protected. The names are those of `sslmode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server can, without checking who it is.
    #[default]
    Prefer,
    /// Always encrypted, without checking who the server is.
    Require,
    /// Always encrypted, and the server's certificate is from a trusted authority.
    VerifyCa,
    /// Like [`Tls::VerifyCa`], and the certificate names the host.
    VerifyFull,
}

impl Default for Postgres {
    fn default() -> Self {
        Postgres {
            host: "localhost".to_owned(),
            port: 5432,
            user: "postgres".to_owned(),
            password: None,
            database: "openwa".to_owned(),
            schema: "public".to_owned(),
            tls: Tls::default(),
            tls_roots: None,
            partitioned: true,
            max_connections: 10,
            timeout: Duration::from_secs(10),
            read_timeout: Some(Duration::from_secs(30)),
            wait: Duration::from_secs(60),
            required: true,
            builtin: false,
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}
