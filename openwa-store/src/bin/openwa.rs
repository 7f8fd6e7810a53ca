//! `openwa`: a store of a WhatsApp gateway from the command line.

fn main() -> std::process::ExitCode {
    openwa_store::cli::run(std::env::args_os()).into()
}
