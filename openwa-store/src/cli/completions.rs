use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::exit::{Exit, Result};
use super::output::Output;

/// Print the completions for a shell
///
/// For bash: openwa completions bash > ~/.local/share/bash-completion/completions/openwa
#[derive(Args)]
pub struct Completions {
    /// The shell to complete for
    shell: Shell,
}

impl Completions {
    pub fn run(&self, out: &mut Output) -> Result<Exit> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "openwa", &mut text);
        std::io::Write::write_all(out.writer(), &text)?;
        Ok(Exit::Done)
    }
}
