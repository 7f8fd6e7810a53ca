//! Secrets at rest.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::HumanCount;
use serde_json::json;

use super::exit::{Exit, Failure, Result};
use super::input;
use super::json::Object;
use super::meter::metered;
use super::options::Options;
use super::output::Output;
use super::target::{refuse_unseen, show_once};
use crate::store::{SecretsState, refuse_own};
use crate::{Error, SecretsStatus, StoreKey};

/// Seal the store's secrets, change their key, or get over its loss
///
/// The key comes from OPENWA_STORE_KEY (64 hexadecimal digits, or base64 of 32 bytes) or from the file that
/// OPENWA_STORE_KEY_FILE names, never from an option: options can be seen by every user of the machine.
#[derive(Subcommand)]
pub enum Secrets {
    /// Make a new key; it is written nowhere else
    Key(Key),
    /// Tell whether secrets are sealed, with which key, and whether that key is here
    Status(Nothing),
    /// Seal what is in clear, and rid the databases of what was
    Seal(Nothing),
    /// Seal everything with another key, while gateways go on
    Rotate(Rotate),
    /// Open everything, so that it is in clear again
    Unseal(Nothing),
    /// For a lost key: drop what cannot be opened any more; sessions have to be paired anew
    Forget(Forget),
}

#[derive(Args)]
pub struct Key {
    /// Write it to this new file, which only its owner may read; - is standard output [default: -]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Nothing {}

#[derive(Args)]
pub struct Rotate {
    /// File with the new key, - for standard input [default: from OPENWA_NEW_STORE_KEY]
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,

    /// Refuse the old key at once, not after a day
    #[arg(long)]
    retire: bool,
}

#[derive(Args)]
pub struct Forget {
    /// Yes, drop the secrets
    #[arg(long)]
    yes: bool,
}

impl Secrets {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let (rows, done) = match self {
            Secrets::Key(key) => return key.run(options, out),
            Secrets::Status(_) => return status(&options.open()?.secrets_status()?, out),
            Secrets::Seal(_) => {
                let store = options.open()?;
                (metered("seal", |tell| store.seal_secrets(Some(tell)))?, "sealed; no other is left in clear")
            }
            Secrets::Rotate(rotate) => {
                let (new, store) = (rotate.new_key()?, options.open()?);
                let rows = metered("rotate", |tell| store.rotate_store_key(&new, rotate.retire, Some(tell)))?;
                (rows, "sealed with the new key; give it to every gateway now")
            }
            Secrets::Unseal(_) => {
                let store = options.open()?;
                let rows = metered("unseal", |tell| store.unseal_secrets(Some(tell)))?;
                (rows, "opened; take the key away from every gateway, or the next start seals them again")
            }
            Secrets::Forget(forget) => {
                if !forget.yes {
                    return Err(Failure::usage(
                        "this drops every secret of the store that cannot be opened",
                        "look for the key once more; then say --yes",
                    ));
                }
                let store = options.open()?;
                let rows = metered("forget", |tell| store.forget_secrets(Some(tell)))?;
                (rows, "dropped; pair the sessions anew, and give webhooks new secrets")
            }
        };
        if out.is_json() {
            out.json(&Object::new().put("rows", json!(rows)).done())?;
        } else {
            out.line(format_args!("{} rows {done}", HumanCount(rows)))?;
        }
        Ok(Exit::Done)
    }
}

impl Key {
    fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let key = StoreKey::generate()?;
        match self.out.as_ref().filter(|path| !input::is_standard(path)) {
            Some(path) => {
                refuse_own(&options.config_without_key()?, &[], path)?;
                write_new(path, &key).map_err(|e| Error::from(e).with("path", path.display()))?;
                let text = format!("key {} is in {}", key.id(), path.display());
                if out.is_json() {
                    out.json(&Object::new().put("key", json!(key.id())).done())?;
                } else {
                    out.line(text)?;
                }
            }
            None => {
                refuse_unseen()?;
                show_once(out, |out| {
                    if out.is_json() {
                        let both =
                            Object::new().put("key", json!(key.id())).put("store_key", json!(key.to_hex()));
                        return out.json(&both.done());
                    }
                    out.line(key.to_hex())
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

fn write_new(path: &Path, key: &StoreKey) -> std::io::Result<()> {
    use std::io::Write;
    let mut how = std::fs::OpenOptions::new();
    how.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
    let mut file = how.open(path)?;
    let text = format!("{}\n", key.to_hex());
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    // Half a key opens nothing, and would be in the way of the next try.
    written.inspect_err(|_| drop(std::fs::remove_file(path)))
}

impl Rotate {
    fn new_key(&self) -> Result<StoreKey> {
        if let Some(file) = &self.new_key_file {
            if input::is_standard(file) {
                return Ok(StoreKey::from_content(&input::read(file)?)?);
            }
            return Ok(StoreKey::from_file(file)?);
        }
        let given = std::env::var("OPENWA_NEW_STORE_KEY").ok().filter(|key| !key.is_empty());
        let given = given.ok_or_else(|| {
            Failure::usage(
                "no new key was given",
                "name its file with --new-key-file, or set OPENWA_NEW_STORE_KEY",
            )
        })?;
        Ok(given.parse().map_err(|e: Error| e.with("variable", "OPENWA_NEW_STORE_KEY"))?)
    }
}

fn status(s: &SecretsStatus, out: &mut Output) -> Result<Exit> {
    if out.is_json() {
        let time = |t: Option<crate::Timestamp>| json!(t.map(|t| t.to_string()));
        let document = Object::new()
            .put("state", json!(s.state.name()))
            .put("key", json!(s.key))
            .put("old_key", json!(s.old_key))
            .put("old_key_until", time(s.old_key_until))
            .put("since", time(s.since))
            .put("usable", json!(s.usable))
            .put("clean", json!(s.clean));
        out.json(&document.done())?;
        return Ok(Exit::Done);
    }
    let name = |key: &Option<String>| key.clone().unwrap_or_default();
    out.line(match s.state {
        SecretsState::Clear => {
            "Secrets are in clear. To seal them, set OPENWA_STORE_KEY: `openwa secrets key`".into()
        }
        SecretsState::Sealing => format!("Secrets are being sealed with key {}", name(&s.key)),
        SecretsState::Sealed => format!("Secrets are sealed with key {}", name(&s.key)),
        SecretsState::Rotating => {
            format!("Secrets are being sealed with key {} instead of {}", name(&s.key), name(&s.old_key))
        }
        SecretsState::Opening => "Secrets are being opened or dropped; do it again to finish it".to_owned(),
    })?;
    if let Some(since) = s.since {
        out.line(format_args!("  since {since}"))?;
    }
    if let Some(until) = s.old_key_until {
        out.line(format_args!("  key {} opens the store as well, until {until}", name(&s.old_key)))?;
    }
    if !s.usable {
        out.line("  the key is not here: what needs no secret goes on")?;
    }
    if s.key.is_some() && !s.clean {
        out.line("  free space may hold some in clear: `openwa secrets seal` rids the database of it")?;
    }
    Ok(Exit::Done)
}
