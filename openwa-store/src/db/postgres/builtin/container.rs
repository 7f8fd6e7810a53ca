//! The container `openwa-postgres`, through the Docker command line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::answer::{self, Login};
use super::home::Home;
use crate::db::postgres::programs::{Output, Programs, run};
use crate::error::{Error, Kind, Result};

/// The container, and the volume with its data.
const NAME: &str = "openwa-postgres";
const IMAGE: &str = "postgres:17";
/// How long a command that asks may take.
const ASK: Duration = Duration::from_secs(15);
/// How long making the container may take: the image may have to be fetched.
const MAKE: Duration = Duration::from_secs(600);

pub(super) struct Container {
    docker: Docker,
    port: u16,
    /// Exists once this store's data are in the container. Holds when one of us started it, so that one that
    /// somebody else started is never stopped.
    mark: PathBuf,
}

struct Docker {
    programs: Programs,
}

impl Docker {
    fn command(&self, args: &[&str]) -> Option<Command> {
        let mut command = Command::new(self.programs.find("docker")?);
        // Docker looks for its own helpers there.
        command.args(args).env("PATH", self.programs.path());
        Some(command)
    }

    fn run(&self, args: &[&str], limit: Duration) -> Result<Output> {
        let mut command = self.command(args).ok_or_else(silent)?;
        run(&mut command, limit)
    }

    /// One property of the container; `None`: there is no container.
    fn inspect(&self, format: &str) -> Result<Option<String>> {
        let seen = self.run(&["container", "inspect", "--format", format, NAME], ASK)?;
        Ok(seen.success.then(|| seen.out.trim().to_owned()))
    }

    fn answers(&self) -> bool {
        self.run(&["info", "--format", "{{.ServerVersion}}"], ASK).is_ok_and(|info| info.success)
    }
}

impl Container {
    /// Whether this folder's data are in the container.
    pub(super) fn exists(home: &Home) -> bool {
        mark(home).exists()
    }

    /// Whether a Docker engine answers. The client alone is not enough.
    pub(super) fn possible(programs: &Programs) -> bool {
        Docker { programs: programs.clone() }.answers()
    }

    pub(super) fn start(
        home: &Home,
        programs: Programs,
        login: &Login,
        port: u16,
        deadline: Instant,
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        let mut container = Container { docker: Docker { programs }, port, mark: mark(home) };
        if !container.docker.answers() {
            return Err(silent());
        }
        // Fetching an image is not waiting for the server.
        let asked = Instant::now();
        let started = container.bring_up(home, login, tell)?;
        let deadline = deadline + asked.elapsed();
        let answered = container.published().and_then(|port| {
            container.port = port;
            answer::wait_for(&container.address(), login, deadline, tell, || container.still_runs())
        });
        match answered {
            Ok(()) => Ok(container),
            Err(e) => {
                if started {
                    let _ = container.docker.run(&["stop", NAME], ASK + ASK);
                }
                Err(e)
            }
        }
    }

    /// Makes or starts the container, and says whether it had to.
    fn bring_up(&self, home: &Home, login: &Login, tell: &dyn Fn(&str)) -> Result<bool> {
        let state = self.docker.inspect("{{.State.Running}}")?;
        if state.as_deref() == Some("true") {
            if !self.mark.exists() {
                home.write(&self.mark, "")?;
            }
            return Ok(false);
        }
        let done = if state.is_some() {
            tell("starting the container openwa-postgres");
            self.docker.run(&["start", NAME], MAKE)?
        } else {
            tell("making the container openwa-postgres; the image may have to be fetched first");
            let port = format!("127.0.0.1:{}:5432", self.port);
            let volume = format!("{NAME}:/var/lib/postgresql/data");
            let mut args = vec!["run", "--detach", "--name", NAME, "--publish", &port, "--volume", &volume];
            // By name only: arguments are seen by everybody on the machine, the environment is not.
            let variables = [
                ("POSTGRES_USER", login.user.as_str()),
                ("POSTGRES_PASSWORD", &login.password),
                ("POSTGRES_DB", &login.database),
                // The order and the letter case of text are SQLite's: by code point.
                ("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C"),
            ];
            args.extend(variables.iter().flat_map(|(name, _)| ["--env", *name]));
            args.push(IMAGE);
            let mut command = self.docker.command(&args).ok_or_else(silent)?;
            run(command.envs(variables), MAKE)?
        };
        if !done.success {
            if state.is_none() {
                // Docker keeps a container that it could not start; without data, it is only in the way.
                let _ = self.docker.run(&["rm", NAME], ASK);
            }
            return Err(self.refused(&done));
        }
        let started_at = self.docker.inspect("{{.State.StartedAt}}")?.unwrap_or_default();
        home.write(&self.mark, &started_at)?;
        Ok(true)
    }

    fn refused(&self, done: &Output) -> Error {
        let taken = ["port is already allocated", "address already in use", "ports are not available"];
        if taken.iter().any(|words| done.err.contains(words)) {
            let port = self.port;
            return Error::new(
                Kind::InvalidArgument,
                format!("port {port} of 127.0.0.1 is not free for the container {NAME}; choose another"),
            )
            .with("variable", "DATABASE_PORT")
            .with("port", port);
        }
        Error::new(Kind::Unavailable, format!("Docker did not start {NAME}: {}", done.reason()))
    }

    /// The port of this machine that leads to the server. A container keeps the one that it was made with.
    fn published(&self) -> Result<u16> {
        let format = r#"{{range index .NetworkSettings.Ports "5432/tcp"}}{{.HostPort}} {{end}}"#;
        let ports = self.docker.inspect(format)?.unwrap_or_default();
        ports.split_whitespace().next().and_then(|port| port.parse().ok()).ok_or_else(|| {
            Error::new(
                Kind::Unavailable,
                format!(
                    "the container {NAME} publishes no port; remove it (its volume stays) and open again"
                ),
            )
        })
    }

    fn still_runs(&self) -> Result<()> {
        if self.docker.inspect("{{.State.Running}}")?.as_deref() == Some("true") {
            return Ok(());
        }
        let logs = self.docker.run(&["logs", "--tail", "5", NAME], ASK)?;
        Err(Error::new(Kind::Unavailable, format!("the container {NAME} ended: {}", logs.reason())))
    }

    pub(super) fn address(&self) -> (String, u16) {
        ("127.0.0.1".to_owned(), self.port)
    }

    /// Stops the container, if it is still the run that one of us started.
    pub(super) fn stop(&self) -> Result<()> {
        let ours = std::fs::read_to_string(&self.mark)?;
        if ours.is_empty() || self.docker.inspect("{{.State.StartedAt}}")?.as_deref() != Some(ours.as_str()) {
            return Ok(());
        }
        let stopped = self.docker.run(&["stop", "-t", "60", NAME], Duration::from_secs(75))?;
        if stopped.success {
            return Ok(());
        }
        Err(Error::new(Kind::Io, format!("the container {NAME} does not stop: {}", stopped.reason())))
    }
}

fn mark(home: &Home) -> PathBuf {
    Path::new(&home.path).join("container")
}

fn silent() -> Error {
    Error::new(
        Kind::Unavailable,
        format!("the store's data are in the container {NAME}, and no Docker engine answers; start Docker"),
    )
}
