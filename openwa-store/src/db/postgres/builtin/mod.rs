//! The server that a store starts for itself (`POSTGRES_BUILTIN`): the container `openwa-postgres` where a Docker
//! engine answers, else a private cluster in the store's folder from the PostgreSQL programs of this machine. Once
//! one of the two holds the data, it stays with that one.
//!
//! Any number of stores and processes share it. Each holds a shared lock on the file `users` while it is open, which
//! the system takes away when a process dies, so there is nothing to count. The first starts the server; the last to
//! close stops it. A container that somebody else started is used and left running. What the last process of a store
//! leaves running because it was killed is found by the next one.

mod answer;
mod cluster;
mod container;
mod home;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use super::programs::Programs;
use crate::error::Result;
use crate::fork::Private;
use answer::Login;
use cluster::Cluster;
use container::Container;
use home::Home;

/// What the server must be like.
pub(crate) struct BuiltinOptions<'a> {
    /// The store's folder. The server's files are in `postgres` below it.
    pub(crate) dir: &'a Path,
    pub(crate) user: &'a str,
    /// `None`: one is drawn when the data are made, and kept in the file `password`.
    pub(crate) password: Option<&'a str>,
    pub(crate) database: &'a str,
    /// The wanted port of 127.0.0.1.
    pub(crate) port: u16,
    /// How long it may take until the server answers.
    pub(crate) wait: Duration,
    /// Where programs are looked for; `None`: in PATH and where systems keep PostgreSQL.
    pub(crate) path: Option<OsString>,
}

/// A running server in which this store takes part.
pub(crate) struct Builtin {
    server: Server,
    home: Home,
    /// Held shared by everyone who uses the server.
    users: Option<Private<File>>,
    login: Login,
}

enum Server {
    Container(Container),
    Cluster(Cluster),
}

impl Server {
    fn stop(&self) -> Result<()> {
        match self {
            Server::Container(container) => container.stop(),
            Server::Cluster(cluster) => cluster.stop(),
        }
    }
}

impl Builtin {
    /// Makes sure that the server runs, answers, and has the database. `tell` hears what it waits for.
    ///
    /// # Errors
    /// `Timeout` if it does not answer in time; `Unsupported` if neither Docker nor the programs are here, or they are
    /// of another version than the data; `InvalidArgument` if the port is taken; `PermissionDenied` if
    /// the folder cannot be written or the password is wrong; `Unavailable` or `Io` with the last words of the server or
    /// of `initdb`.
    pub(crate) fn start(options: &BuiltinOptions<'_>, tell: &dyn Fn(&str)) -> Result<Self> {
        let deadline = Instant::now() + options.wait;
        let home = Home::open(&options.dir.join("postgres"))?;
        let _turn = home.turn(deadline)?;
        let users = Private::new(home.users()?);
        home.join(&users, deadline)?;
        let login = Login {
            user: options.user.to_owned(),
            password: home.password(options.password)?,
            database: options.database.to_owned(),
        };
        let programs = Programs::new(options.path.as_deref());
        let server =
            if !Cluster::exists(&home) && (Container::exists(&home) || Container::possible(&programs)) {
                Server::Container(Container::start(&home, programs, &login, options.port, deadline, tell)?)
            } else {
                Server::Cluster(Cluster::start(&home, &programs, &login, options.port, deadline, tell)?)
            };
        Ok(Builtin { server, home, users: Some(users), login })
    }

    /// Where the server is: its host, or the folder of its socket, and its port.
    pub(crate) fn address(&self) -> (String, u16) {
        match &self.server {
            Server::Container(container) => container.address(),
            Server::Cluster(cluster) => cluster.address(),
        }
    }

    /// The password to log in with.
    pub(crate) fn password(&self) -> &str {
        &self.login.password
    }

    /// Takes leave; the last one stops the server, if it is ours. Dropping does the same.
    ///
    /// # Errors
    /// `Timeout`, `Io` if the server does not stop.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.leave()
    }

    fn leave(&mut self) -> Result<()> {
        let Some(users) = self.users.take() else { return Ok(()) };
        let _turn = self.home.turn(Instant::now() + Duration::from_secs(60))?;
        users.unlock()?;
        // Nobody can join meanwhile, so what is not locked now has no user left.
        if users.try_lock().is_ok() { self.server.stop() } else { Ok(()) }
    }
}

impl Drop for Builtin {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; the next opener finds the server as it is.
        let _ = self.leave();
    }
}
