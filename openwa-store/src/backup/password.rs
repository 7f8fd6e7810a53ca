//! The password of a repository.

use std::process::{Command, Stdio};

use rustic_core::Credentials;

use super::BackupRepo;
use crate::error::{Error, Result};

/// Holds the password when the options say nothing of it.
const PASSWORD_VARIABLE: &str = "OPENWA_BACKUP_PASSWORD";

/// From where the options say, or else from the environment.
pub(super) fn of(repo: &BackupRepo) -> Result<Credentials> {
    let given = [repo.password.is_some(), repo.password_file.is_some(), repo.password_command.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        return Err(Error::invalid(
            "password",
            "give the password in one way: itself, its file or its command",
        ));
    }
    let (password, from) = if let Some(password) = &repo.password {
        (password.0.clone(), "password")
    } else if let Some(path) = &repo.password_file {
        let text = std::fs::read_to_string(path);
        (first_line(&text.map_err(|e| Error::from(e).with("password_file", path))?), "password_file")
    } else if let Some(command) = &repo.password_command {
        (first_line(&printed(command)?), "password_command")
    } else {
        (std::env::var(PASSWORD_VARIABLE).unwrap_or_default(), "password")
    };
    if password.is_empty() {
        let text = match from {
            "password" => {
                format!("the repository needs a password; set {PASSWORD_VARIABLE}, or name a file of it")
            }
            from => format!("{from} gives an empty password"),
        };
        return Err(Error::invalid(from, text));
    }
    Ok(Credentials::password(password))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn printed(command: &str) -> Result<String> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let failed = |why: String| {
        Error::invalid("password_command", format!("the command for the password failed: {why}"))
    };
    let out = Command::new(shell)
        .args([flag, command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| failed(e.to_string()))?;
    if !out.status.success() {
        return Err(failed(out.status.to_string()));
    }
    String::from_utf8(out.stdout).map_err(|_| failed("what it prints is not UTF-8".to_owned()))
}
