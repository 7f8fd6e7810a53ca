//! Where a PostgreSQL server is and how it is used.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use super::unknown;
use crate::error::{Error, Result};
use crate::value::names;

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

names! {
    /// How a connection to a server is protected. The names are those of `sslmode`.
    pub enum Tls: default Prefer {
        /// Never encrypted.
        Disable = "disable",
        /// Encrypted if the server can, without checking who it is.
        Prefer = "prefer",
        /// Always encrypted, without checking who the server is.
        Require = "require",
        /// Always encrypted, and the server's certificate is from a trusted authority.
        VerifyCa = "verify-ca",
        /// Like [`Tls::VerifyCa`], and the certificate names the host.
        VerifyFull = "verify-full",
    }
}

impl Postgres {
    /// From the gateway's environment; see [`Config::from_env`](super::Config::from_env).
    pub(super) fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut to = Postgres::default();
        to.host = var("DATABASE_HOST").unwrap_or(to.host);
        to.user = var("DATABASE_USERNAME").unwrap_or(to.user);
        to.password = var("DATABASE_PASSWORD");
        to.database = var("DATABASE_NAME").unwrap_or(to.database);
        to.schema = var("POSTGRES_SCHEMA").unwrap_or(to.schema);
        if let Some(port) = var("DATABASE_PORT") {
            to.port = port.parse().map_err(|_| unknown("DATABASE_PORT", &port, "a number up to 65535"))?;
        }
        if let Some(ssl) = var("DATABASE_SSL") {
            to.tls = match ssl.as_str() {
                "true" => Tls::Require,
                "false" => Tls::Disable,
                mode => mode.parse().map_err(|_| {
                    let modes = Tls::NAMES.join(", ");
                    unknown("DATABASE_SSL", mode, &format!("true, false or one of {modes}"))
                })?,
            };
        }
        if let Some(builtin) = var("POSTGRES_BUILTIN") {
            to.builtin =
                builtin.parse().map_err(|_| unknown("POSTGRES_BUILTIN", &builtin, "true or false"))?;
        }
        Ok(to)
    }

    /// Reads `postgres://user:password@host:port/database?parameter=value`; what is left out has its default, and
    /// special characters are percent-encoded. The parameters are the fields of this struct, with lengths of time in
    /// milliseconds, and libpq's names `sslmode` for `tls` and `sslrootcert` for `tls_roots`. A `host` parameter may be
    /// the folder of a Unix socket.
    ///
    /// # Errors
    /// `InvalidArgument`; the message never shows the URL, which may hold a password.
    pub fn from_url(url: &str) -> Result<Self> {
        Self::read_url(url, "data")
    }

    /// Reads a URL that was given as the argument `named`.
    pub(crate) fn read_url(url: &str, named: &'static str) -> Result<Self> {
        let refuse = |why: String| Error::invalid(named, why);
        let url = Url::parse(url).map_err(|e| refuse(format!("the PostgreSQL URL cannot be read: {e}")))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(refuse("a PostgreSQL URL starts with postgres://".to_owned()));
        }
        let plain = |part: &str| {
            let decoded = percent_decode_str(part).decode_utf8().map(Cow::into_owned);
            decoded.map_err(|_| refuse("an escape in the PostgreSQL URL is no UTF-8".to_owned()))
        };
        let mut to = Postgres::default();
        if let Some(host) = url.host_str().filter(|h| !h.is_empty()) {
            to.host = plain(host.trim_matches(['[', ']']))?;
        }
        to.port = url.port().unwrap_or(to.port);
        if !url.username().is_empty() {
            to.user = plain(url.username())?;
        }
        to.password = url.password().map(plain).transpose()?;
        if let Some(database) = url.path().strip_prefix('/').filter(|d| !d.is_empty()) {
            to.database = plain(database)?;
        }
        for (name, value) in url.query_pairs() {
            let wrong = || refuse(format!("the parameter {name} of the PostgreSQL URL is not understood"));
            let flag = || value.parse::<bool>().map_err(|_| wrong());
            let time = || value.parse().map(Duration::from_millis).map_err(|_| wrong());
            match &*name {
                "host" => to.host = value.into_owned(),
                "port" => to.port = value.parse().map_err(|_| wrong())?,
                "schema" => to.schema = value.into_owned(),
                // What libpq prefers there is not to encrypt.
                "sslmode" if value == "allow" => to.tls = Tls::Prefer,
                "tls" | "sslmode" => to.tls = value.parse().map_err(|_| wrong())?,
                "tls_roots" | "sslrootcert" => to.tls_roots = Some(value.into_owned().into()),
                "partitioned" => to.partitioned = flag()?,
                "max_connections" => to.max_connections = value.parse().map_err(|_| wrong())?,
                "timeout" => to.timeout = time()?,
                "read_timeout" => to.read_timeout = Some(time()?).filter(|t| !t.is_zero()),
                "wait" => to.wait = time()?,
                "required" => to.required = flag()?,
                "builtin" => to.builtin = flag()?,
                _ => return Err(refuse(format!("a PostgreSQL URL has no parameter {name}"))),
            }
        }
        Ok(to)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_the_server_is() {
        let read = |url: &str| Postgres::from_url(url).unwrap();
        assert_eq!(read("postgres://"), Postgres::default());
        let all = read(
            "postgresql://bot:p%40ss+1@db.example.com:6543/wa?sslmode=verify-full&schema=s&wait=0&read_timeout=0",
        );
        assert_eq!((all.host.as_str(), all.port, all.user.as_str()), ("db.example.com", 6543, "bot"));
        assert_eq!((all.password.as_deref(), all.database.as_str()), (Some("p@ss+1"), "wa"));
        assert_eq!((all.tls, all.schema.as_str()), (Tls::VerifyFull, "s"));
        assert_eq!((all.wait, all.read_timeout), (Duration::ZERO, None));
        assert_eq!(read("postgres://[::1]/x").host, "::1");
        assert_eq!(read("postgres://u:a&b=c+d@h/x").password.as_deref(), Some("a&b=c+d"));
        assert_eq!(read("postgres:///x?port=6432&sslmode=allow").port, 6432);
        assert_eq!(read("postgres:///x?host=/run/postgresql").host, "/run/postgresql");
        for bad in [
            "postgres://u:secret@h/d?nosuch=1",
            "postgres://u:secret@h/d?wait=soon",
            "http://u:secret@h",
            "postgres://u:secret@h:port",
            "postgres://u:secret%ff@h",
        ] {
            let e = Postgres::from_url(bad).unwrap_err();
            assert!(!e.to_string().contains("secret"), "{e}");
        }
    }
}
