//! Child processes: the program `saver` of this package, started, heard, killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a test waits for a child before it fails. Nothing takes nearly as long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A number from the environment, for long runs (`make crash`).
#[must_use]
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// A running program whose lines are read as they come, so that it never waits for its reader.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
}

/// The path of a program of this package. Tests and programs are built into neighbouring folders.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join(name)
}

/// A path as an argument.
#[must_use]
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Program {
    /// Starts the program `saver` with these arguments.
    #[must_use]
    pub fn saver(args: &[&str]) -> Self {
        Program::start(Command::new(program("saver")).args(args))
    }

    /// Starts a command.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || each_whole_line(out, |line| drop(sender.send(line))));
        Program { child, lines }
    }

    /// The id of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line for it to read.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Reads lines up to one that satisfies `last`, and answers them all.
    #[track_caller]
    #[must_use]
    pub fn read_until(&self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut lines: Vec<String> = Vec::new();
        while !lines.last().is_some_and(|line| last(line)) {
            let left = deadline.saturating_duration_since(Instant::now());
            lines.push(self.lines.recv_timeout(left).expect("the child ended or fell silent"));
        }
        lines
    }

    /// Waits for the program, which must succeed, and answers the lines not read yet.
    #[track_caller]
    #[must_use]
    pub fn finish(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the child failed: {status}");
        self.lines.iter().collect()
    }

    /// Ends the program's input, then as [`finish`](Self::finish).
    #[track_caller]
    #[must_use]
    pub fn finish_input(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        self.finish()
    }

    /// Kills the program as a crash would, and answers the whole lines that it wrote before.
    #[must_use]
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().collect()
    }
}

/// A torn last line, as a killed program leaves it, is not a line.
fn each_whole_line(out: impl Read, mut take: impl FnMut(String)) {
    let mut out = BufReader::new(out);
    let mut line = String::new();
    while out.read_line(&mut line).is_ok_and(|n| n > 0) && line.ends_with('\n') {
        take(line.trim_end().to_owned());
        line.clear();
    }
}
