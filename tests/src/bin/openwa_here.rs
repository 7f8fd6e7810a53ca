//! The command, for tests that need servers.

fn main() -> std::process::ExitCode {
    openwa_store::cli::run(std::env::args_os()).into()
}
