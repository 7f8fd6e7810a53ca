//! A private cluster from the PostgreSQL programs of this machine, in the store's folder.

use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::answer::{self, Login};
use super::home::Home;
use crate::db::postgres::programs::{Programs, ServerPrograms, reason, run};
use crate::error::{Error, Kind, Result};

/// How long `initdb` may take, also on a slow disk.
const INITDB: Duration = Duration::from_secs(120);
/// How long a server may take to write everything when it is stopped.
const STOP: Duration = Duration::from_secs(60);
/// The longest path of a Unix socket is 107 bytes; the server adds `/.s.PGSQL.` and a port.
const LONGEST_FOLDER: usize = 107 - "/.s.PGSQL.65535".len();

pub(super) struct Cluster {
    home: Home,
    programs: ServerPrograms,
    data: PathBuf,
    address: (String, u16),
}

/// What `postmaster.pid` says.
struct Postmaster {
    pid: u32,
    port: u16,
}

impl Cluster {
    /// Whether this folder's data are in a cluster.
    pub(super) fn exists(home: &Home) -> bool {
        home.path.join("data").exists()
    }

    pub(super) fn start(
        home: &Home,
        programs: &Programs,
        login: &Login,
        port: u16,
        deadline: Instant,
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        let data = home.path.join("data");
        let version = version_of(&data)?;
        let programs = programs.server(version).ok_or_else(|| missing(version))?;
        home.reachable()?;
        if version.is_none() {
            tell("making a PostgreSQL cluster in the store's folder");
            initialize(home, &programs, login, &data)?;
        }
        let mut cluster = Cluster { home: home.clone(), programs, data, address: address(home, port) };
        match cluster.running(login, deadline, tell)? {
            Some(running) => {
                cluster.address = address(home, running);
                answer::wait_for(&cluster.address, login, deadline, tell, || Ok(()))?;
            }
            None => cluster.launch(login, port, deadline, tell)?,
        }
        Ok(cluster)
    }

    pub(super) fn address(&self) -> (String, u16) {
        self.address.clone()
    }

    pub(super) fn stop(&self) -> Result<()> {
        let mut stop = self.home.command(self.programs.program("pg_ctl"));
        stop.args(["stop", "-s", "-m", "fast", "-w", "-t", &STOP.as_secs().to_string(), "-D"])
            .arg(&self.data);
        let stopped = run(&mut stop, STOP + Duration::from_secs(5))?;
        if stopped.success || !self.data.join("postmaster.pid").exists() {
            return Ok(());
        }
        Err(Error::new(Kind::Io, format!("the built-in server does not stop: {}", stopped.reason())))
    }

    /// The port of the server that runs in this folder already. What a crashed one left is no hindrance.
    fn running(&self, login: &Login, deadline: Instant, tell: &dyn Fn(&str)) -> Result<Option<u16>> {
        let file = self.data.join("postmaster.pid");
        while let Some(found) = postmaster(&file)? {
            if !can_look() {
                // The server itself decides then whether the file is a crashed one's.
                let there = answer::is_there(&address(&self.home, found.port), login);
                return Ok(there.then_some(found.port));
            }
            if !busy(&self.data, found.pid) {
                if process(found.pid).exists() {
                    // Another program has that number now, or nobody buries the dead, as in a container without an
                    // init. The server would take it for one of its own, and refuse.
                    tell("clearing away what a crashed PostgreSQL server left");
                    self.clear(found.port, &file)?;
                }
                return Ok(None);
            }
            if answer::is_there(&address(&self.home, found.port), login) {
                return Ok(Some(found.port));
            }
            // It starts, stops, or its last processes are ending.
            if Instant::now() >= deadline {
                return Err(Error::new(Kind::Timeout, "the built-in server runs but does not answer")
                    .with("pid", found.pid)
                    .with("path", self.home.path.display()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(None)
    }

    /// Removes the two files by which servers keep each other out of a folder.
    fn clear(&self, port: u16, file: &Path) -> Result<()> {
        let socket = self.home.path.join(format!(".s.PGSQL.{port}.lock"));
        for file in [&socket, file] {
            match fs::remove_file(file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn launch(&self, login: &Login, port: u16, deadline: Instant, tell: &dyn Fn(&str)) -> Result<()> {
        if let Err(e) = TcpListener::bind(("127.0.0.1", port)) {
            return Err(Error::new(
                Kind::InvalidArgument,
                format!("port {port} of 127.0.0.1 is not free for the built-in server; choose another"),
            )
            .with("variable", "DATABASE_PORT")
            .with("port", port)
            .caused_by(e));
        }
        let quoted = |text: &str| text.replace('\'', "''");
        let socket = if self.address.0.starts_with('/') { quoted(&self.address.0) } else { String::new() };
        self.home.write(
            &self.data.join("openwa.conf"),
            &format!(
                "# Written at every start.\nlisten_addresses = '127.0.0.1'\nport = {port}\n\
                 unix_socket_directories = '{socket}'\nunix_socket_permissions = 0700\n"
            ),
        )?;
        tell("starting the built-in PostgreSQL server");
        let log = self.home.path.join("log");
        let before = fs::metadata(&log).map_or(0, |m| m.len());
        let mut start = self.home.command(self.programs.program("pg_ctl"));
        // Not waiting: this program waits itself, and tells of it.
        start.args(["start", "-s", "-W", "-D"]).arg(&self.data).arg("-l").arg(&log);
        let launched = run(&mut start, STOP)?;
        if !launched.success {
            return Err(ended(launched.reason()));
        }
        let begun = Instant::now();
        let file = self.data.join("postmaster.pid");
        let answered = answer::wait_for(&self.address, login, deadline, tell, || {
            let alive = postmaster(&file)?.is_some_and(|p| busy(&self.data, p.pid));
            // Before it has its file, it reads its settings for a moment.
            if alive || begun.elapsed() < Duration::from_secs(2) || !can_look() {
                return Ok(());
            }
            Err(ended(&last_words(&log, before)))
        });
        if answered.is_err() {
            // What did not come up must not be in the way of the next try.
            let _ = self.stop();
        }
        answered
    }
}

fn address(home: &Home, port: u16) -> (String, u16) {
    let folder = home.path.to_str().filter(|path| path.len() <= LONGEST_FOLDER && !path.contains(','));
    (folder.unwrap_or("127.0.0.1").to_owned(), port)
}

/// The version that made the data; `None`: there are none.
fn version_of(data: &Path) -> Result<Option<u32>> {
    match fs::read_to_string(data.join("PG_VERSION")) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn missing(version: Option<u32>) -> Error {
    let message = match version {
        Some(version) => format!(
            "the built-in server's data are of PostgreSQL {version}, whose programs are not on this machine; \
             install them (Debian: postgresql-{version})"
        ),
        None => {
            "POSTGRES_BUILTIN needs a Docker engine that answers, or the programs of PostgreSQL 12 or newer \
                 (initdb, pg_ctl, postgres), and neither is on this machine; install one, for instance with \
                 `apt-get install postgresql`, or name a server in DATABASE_HOST"
                .to_owned()
        }
    };
    Error::new(Kind::Unsupported, message)
}

/// Makes the data beside their place and moves them there, so that what is there is always whole.
fn initialize(home: &Home, programs: &ServerPrograms, login: &Login, data: &Path) -> Result<()> {
    let (new, secret) = (home.path.join("data.new"), home.path.join("initdb.password"));
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    home.write(&secret, &login.password)?;
    let mut initdb = home.command(programs.program("initdb"));
    // The order and the letter case of text are SQLite's: by code point.
    initdb.args(["--encoding", "UTF8", "--locale", "C", "--auth", "scram-sha-256"]);
    initdb.arg("--username").arg(&login.user).arg("--pwfile").arg(&secret).arg("--pgdata").arg(&new);
    let made = run(&mut initdb, INITDB);
    fs::remove_file(&secret)?;
    let made = made?;
    if !made.success {
        let kind = if made.err.contains("No space left") { Kind::DiskFull } else { Kind::Io };
        return Err(
            Error::new(kind, format!("initdb failed: {}", made.reason())).with("path", home.path.display())
        );
    }
    let settings = new.join("postgresql.conf");
    let text = fs::read_to_string(&settings)?;
    home.write(&settings, &format!("{text}\ninclude 'openwa.conf'\n"))?;
    Ok(fs::rename(&new, data)?)
}

fn postmaster(file: &Path) -> Result<Option<Postmaster>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let mut lines = text.lines();
    let pid = lines.next().and_then(|line| line.trim().parse().ok());
    let port = lines.nth(2).and_then(|line| line.trim().parse().ok());
    // A file that is being written, or was never finished, names no server yet.
    Ok(Some(Postmaster { pid: pid.unwrap_or(0), port: port.unwrap_or(0) }))
}

fn process(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// Whether this system shows its processes.
fn can_look() -> bool {
    Path::new("/proc/self/cmdline").exists()
}

/// Whether the server `pid` works in this folder, or one of its children, which outlive a crash by a moment.
fn busy(data: &Path, pid: u32) -> bool {
    // Where a process works is told to its own user only, but everybody may read its arguments.
    let arguments = fs::read(process(pid).join("cmdline")).unwrap_or_default();
    let named = arguments.split(|byte| *byte == 0).any(|word| word == data.as_os_str().as_bytes());
    let works_here = |process: &Path| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data);
    named || fs::read_dir("/proc").into_iter().flatten().flatten().any(|entry| works_here(&entry.path()))
}

fn ended(why: &str) -> Error {
    Error::new(Kind::Unavailable, format!("the built-in PostgreSQL server did not start: {why}"))
}

/// Why the server ended, of what it wrote from `before` on.
fn last_words(log: &Path, before: u64) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let new = bytes.get(usize::try_from(before).unwrap_or(0)..).unwrap_or_default();
    reason(&String::from_utf8_lossy(new)).to_owned()
}
