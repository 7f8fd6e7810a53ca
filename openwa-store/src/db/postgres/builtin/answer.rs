//! Asking a server whether it is ready, and for the database.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

use super::super::line::Line;
use super::super::socket::Socket;
use crate::error::{Error, Kind, Result};

/// How to log in, and what for.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: String,
}

/// What a server said.
enum Answer {
    Ready,
    /// It is not there, or still starting.
    NotYet,
    NoSuchDatabase,
}

/// Waits with growing pauses until the server at `address` has the database, which is made if it is missing.
/// `ended` tells early that nobody will answer.
pub(super) fn wait_for(
    address: &(String, u16),
    login: &Login,
    deadline: Instant,
    tell: &dyn Fn(&str),
    mut ended: impl FnMut() -> Result<()>,
) -> Result<()> {
    let mut pause = Duration::from_millis(20);
    loop {
        match ask(address, login, &login.database, None)? {
            Answer::Ready => return Ok(()),
            Answer::NotYet => ended()?,
            Answer::NoSuchDatabase => {
                let create = format!("CREATE DATABASE \"{}\"", login.database.replace('"', "\"\""));
                ask(address, login, "postgres", Some(&create))?;
                continue;
            }
        }
        if Instant::now() >= deadline {
            return Err(Error::new(
                Kind::Timeout,
                "the built-in PostgreSQL server does not answer; its log says why",
            )
            .with("host", &address.0)
            .with("port", address.1));
        }
        if pause > Duration::from_millis(300) {
            tell("waiting for the built-in PostgreSQL server");
        }
        std::thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// Whether anybody who speaks PostgreSQL listens there.
pub(super) fn is_there(address: &(String, u16), login: &Login) -> bool {
    !matches!(ask(address, login, &login.database, None), Ok(Answer::NotYet))
}

fn ask(address: &(String, u16), login: &Login, database: &str, sql: Option<&str>) -> Result<Answer> {
    let mut config = Config::new();
    let (host, port) = address;
    config.user(&login.user).password(&login.password).dbname(database);
    let deadline = Instant::now() + Duration::from_secs(5);
    let Ok(socket) = Socket::connect(host, *port, deadline) else { return Ok(Answer::NotYet) };
    let Some(opened) = Line::open(&config, socket, NoTls, deadline) else { return Ok(Answer::NotYet) };
    let asked = opened.and_then(|line| {
        let asked = sql.and_then(|sql| line.wait(line.client.batch_execute(sql), None));
        asked.unwrap_or(Ok(()))
    });
    let Err(e) = asked else { return Ok(Answer::Ready) };
    let Some(said) = e.as_db_error() else { return Ok(Answer::NotYet) };
    match said.code() {
        code if *code == SqlState::INVALID_CATALOG_NAME => Ok(Answer::NoSuchDatabase),
        // Somebody else made it meanwhile.
        code if *code == SqlState::DUPLICATE_DATABASE => Ok(Answer::Ready),
        code if *code == SqlState::CANNOT_CONNECT_NOW || *code == SqlState::TOO_MANY_CONNECTIONS => {
            Ok(Answer::NotYet)
        }
        code if *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
        {
            Err(Error::new(
                Kind::PermissionDenied,
                "the built-in PostgreSQL server refuses this user and password; it was made with others",
            )
            .with("variable", "DATABASE_PASSWORD")
            .with("user", &login.user)
            .caused_by(e))
        }
        _ => Err(Error::new(Kind::Unavailable, said.message()).caused_by(e)),
    }
}
