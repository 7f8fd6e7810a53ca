//! `openwa`: a store of a WhatsApp gateway from the command line, as a function. The command calls it, and so does
//! whoever wants to offer it under another name, such as the Python package.

mod backup;
mod chats;
mod check;
mod compare;
mod completions;
mod db;
mod exit;
mod init;
mod input;
mod json;
mod keys;
mod maintenance;
mod messages;
mod meter;
mod migrate;
mod options;
mod output;
mod pages;
mod replay;
mod retention;
mod secrets;
mod sessions;
mod signals;
mod status;
mod storage;
mod summary;
mod table;
mod takeover;
mod target;
mod transfer;
mod vacuum;
mod waiting;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use exit::{Exit, Result};
use options::Options;
use output::Output;

/// The store of a WhatsApp gateway: replay engine events into it, look at it, look after it.
#[derive(Parser)]
#[command(name = "openwa", version, after_long_help = exit::HELP, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Status(status::Status),
    Replay(replay::Replay),
    Sessions(sessions::Sessions),
    Chats(chats::Chats),
    Messages(messages::Messages),
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(subcommand)]
    Retention(retention::Retention),
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    #[command(subcommand)]
    Maintenance(maintenance::Maintenance),
    Export(transfer::Export),
    Import(transfer::Import),
    Takeover(takeover::Takeover),
    Migrate(migrate::Migrate),
    #[command(subcommand)]
    Backup(backup::Backup),
    #[command(subcommand)]
    Db(db::Db),
    Completions(completions::Completions),
}

impl Command {
    fn run(self, options: &Options, out: &mut Output) -> Result<Exit> {
        match self {
            Command::Init(c) => c.run(options, out),
            Command::Status(c) => c.run(options, out),
            Command::Replay(c) => c.run(options, out),
            Command::Sessions(c) => c.run(options, out),
            Command::Chats(c) => c.run(options, out),
            Command::Messages(c) => c.run(options, out),
            Command::Keys(c) => c.run(options, out),
            Command::Retention(c) => c.run(options, out),
            Command::Secrets(c) => c.run(options, out),
            Command::Maintenance(c) => c.run(options, out),
            Command::Export(c) => c.run(options, out),
            Command::Import(c) => c.run(options, out),
            Command::Takeover(c) => c.run(options, out),
            Command::Migrate(c) => c.run(options, out),
            Command::Backup(c) => c.run(options, out),
            Command::Db(c) => c.run(options, out),
            Command::Completions(c) => c.run(out),
        }
    }
}

/// Runs the command with `args`, the first of which is its name, and gives its exit code. It reads and writes the
/// process's own standard streams.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version come this way too. Nobody is left to hear that the stream is closed.
            let _ = e.print();
            return u8::try_from(e.exit_code()).unwrap_or(Exit::Usage as u8);
        }
    };
    cli.options.choose_color();
    let mut out = Output::new(cli.options.json);
    let done = cli.command.run(&cli.options, &mut out);
    waiting::done();
    // What was written is shown before what went wrong, which may be that it cannot be shown.
    let shown = out.flush();
    match done.and_then(|exit| Ok(shown.map(|()| exit)?)) {
        Ok(exit) => exit as u8,
        Err(failure) => failure.report(cli.options.json) as u8,
    }
}
