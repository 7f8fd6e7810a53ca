//! Servers that tests start: found on this machine, run without privileges, and gone when the test is, however it
//! ends.
//!
//! Between a test and its server stands a shell that reads commands from a pipe. When the test's process ends, also
//! when it is killed, the pipe ends; the shell then stops the server and removes its folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::PATIENCE;

/// `$1`: the folder; `$2`: the signal that ends the server at once; the rest: its command. Says `stopped` once a
/// stopped server is gone.
const SUPERVISOR: &str = r#"
folder=$1 last=$2; shift 2
server=
end() { [ -z "$server" ] || { kill -s "$1" "$server" 2>/dev/null; wait "$server"; server=; }; }
while read -r word; do
  case $word in
    start) "$@" >>"$folder/log" 2>&1 </dev/null & server=$!;;
    *) end "$word"; echo stopped;;
  esac
done
end "$last"
rm -rf "$folder"
"#;

/// A folder of a server's own, and who runs it.
pub struct Home {
    /// The folder, short enough for a Unix socket in it.
    pub path: PathBuf,
    /// As whom programs must run, when that is not who we are.
    user: Option<(u32, u32)>,
}

impl Home {
    /// A new folder, which belongs to a user without privileges: ourselves, or another if we are root.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        let path = tempfile::Builder::new().prefix(&format!("openwa-{kind}-")).tempdir().unwrap().keep();
        let mut user = None;
        if fs::metadata(&path).unwrap().uid() == 0 {
            let (uid, gid) = unprivileged();
            chown(&path, Some(uid), Some(gid)).unwrap();
            user = Some((uid, gid));
        }
        Home { path, user }
    }

    /// Writes a file that only the server's user may read.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.path.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((uid, gid)) = self.user {
            chown(&path, Some(uid), Some(gid)).unwrap();
        }
    }

    /// A program, to be run as the folder's user.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        // The test's own folder may be closed to that user.
        command.current_dir(&self.path);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// Who runs servers when we are root, whom PostgreSQL and PgBouncer refuse.
fn unprivileged() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let fields: Vec<&str> = line.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).expect("neither a user `postgres` nor `nobody`")
}

/// A program of PostgreSQL or PgBouncer: in PATH, or where Debian keeps it. Of several versions, the newest.
#[must_use]
pub fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| path.file_name().and_then(|n| n.to_str()?.parse::<u32>().ok()));
    folders.extend(versions.into_iter().rev().map(|version| version.join("bin")));
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("the program `{name}` is missing; tests/setup.sh tells how to get it"))
}

/// A port of the loopback address that nobody uses at the moment. Somebody may before we do.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A server and the shell that watches over it.
pub struct Server {
    /// The server's folder.
    pub home: Home,
    last: &'static str,
    shell: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Server {
    /// Prepares a server that `command` runs in the foreground, and that ends at once when it gets the signal `last`.
    /// It is not started yet.
    #[must_use]
    pub fn new(home: Home, last: &'static str, command: &[OsString]) -> Self {
        let mut shell = home
            .command("sh")
            .args(["-c", SUPERVISOR, "sh"])
            .arg(&home.path)
            .arg(last)
            .args(command)
            // Ctrl-C reaches the test alone; the shell then sees its end.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().unwrap());
        Server { home, last, shell, commands, answers }
    }

    fn say(&mut self, word: &str) {
        let commands = self.commands.as_mut().unwrap();
        commands.write_all(format!("{word}\n").as_bytes()).unwrap();
    }

    /// Starts it, and waits until it is `ready`.
    ///
    /// # Errors
    /// What it wrote, if it ended instead.
    pub fn start(&mut self, failure: &str, ready: impl Fn() -> bool) -> Result<(), String> {
        let before = self.log().len();
        self.say("start");
        let deadline = Instant::now() + PATIENCE;
        while !ready() {
            let log = self.log().split_off(before);
            if log.contains(failure) || Instant::now() >= deadline {
                self.stop(self.last);
                return Err(log);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Sends it a signal (`INT`, `QUIT`, `KILL` …) that ends it, and waits until it is gone.
    pub fn stop(&mut self, signal: &str) {
        self.say(signal);
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "stopped", "the server's shell is gone");
    }

    /// What it wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.home.path.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.commands.take();
        // It removes its folder and ends; if it was killed there is nobody to wait for.
        let _ = self.shell.wait();
    }
}

/// A path as a word of a configuration.
#[must_use]
pub fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}
