//! `openwa`: a store of a WhatsApp gateway from the command line.

mod chats;
mod compare;
mod completions;
mod db;
mod exit;
mod init;
mod json;
mod keys;
mod messages;
mod meter;
mod options;
mod output;
mod pages;
mod replay;
mod retention;
mod sessions;
mod status;
mod summary;
mod table;
mod takeover;
mod transfer;

use std::process::ExitCode;

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
    Export(transfer::Export),
    Import(transfer::Import),
    Takeover(takeover::Takeover),
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
            Command::Export(c) => c.run(options, out),
            Command::Import(c) => c.run(options, out),
            Command::Takeover(c) => c.run(options, out),
            Command::Db(c) => c.run(options, out),
            Command::Completions(c) => c.run(out),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Output::new(cli.options.json);
    let done = cli.command.run(&cli.options, &mut out);
    // What was written is shown before what went wrong.
    let done = out.flush().map_err(Into::into).and(done);
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(cli.options.json).into(),
    }
}
