//! A fresh folder, and the command with it as its store.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
    path.to_str().unwrap().to_owned()
}

pub struct Openwa {
    folder: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
}

impl Openwa {
    pub fn new() -> Self {
        Openwa { folder: tempfile::tempdir().unwrap(), env: Vec::new() }
    }

    /// With an empty store.
    pub fn ready() -> Self {
        let openwa = Openwa::new();
        openwa.ok(&["init"]);
        openwa
    }

    /// With the small Baileys log replayed.
    pub fn filled() -> Self {
        let openwa = Openwa::ready();
        openwa.ok(&["replay", &fixture("baileys-small.jsonl")]);
        openwa
    }

    /// With an environment variable for every command.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Of a file in the folder. The store is in `store`.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn file(&self, name: &str, content: &[u8]) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.around(env!("CARGO_BIN_EXE_openwa"), args)
    }

    /// A program that runs the command.
    pub fn around(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("OPENWA_DIR", self.path("store")).args(args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn run_with_input(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What a command prints that must succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        succeeded(args, self.run(args))
    }

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).unwrap()
    }

    /// Exit code and standard error of a command that fails.
    pub fn fails(&self, args: &[&str]) -> (i32, String) {
        failed(&self.run(args))
    }
}

pub fn succeeded(args: &[&str], out: Output) -> String {
    assert_eq!(code(&out), 0, "{args:?}: {}", stderr(&out));
    String::from_utf8(out.stdout).unwrap()
}

pub fn failed(out: &Output) -> (i32, String) {
    (code(out), stderr(out))
}

pub fn code(out: &Output) -> i32 {
    out.status.code().unwrap()
}

pub fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}
