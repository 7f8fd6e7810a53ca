//! An engine's credentials: the auth folder of Baileys, the session archive of whatsapp-web.js.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::looks_like;
use crate::error::{Error, Kind, Result};
use crate::policy::address;
use crate::repo::auth::from_file_name;
use crate::takeover::row::Wrong;
use crate::text::Text;
use crate::time::Timestamp;
use crate::transfer::MAX_ROW_BYTES;

/// The kinds of keys that Baileys keeps, longer names before those they begin with.
const KEY_TYPES: &[&str] = &[
    "app-state-sync-version",
    "app-state-sync-key",
    "sender-key-memory",
    "sender-key",
    "identity-key",
    "lid-mapping",
    "device-list",
    "tctoken",
    "pre-key",
    "session",
];

/// The category under which an archive of whatsapp-web.js is kept.
const REMOTE_AUTH: &str = "remote-auth";

/// One piece of a session's credentials.
pub(in crate::takeover) struct Credential {
    pub(in crate::takeover) category: Text,
    pub(in crate::takeover) key_id: Text,
    pub(in crate::takeover) value: Vec<u8>,
    /// When it last changed.
    pub(in crate::takeover) at: Timestamp,
}

/// The credentials of one session.
pub(in crate::takeover) enum Credentials {
    /// The files of a folder that Baileys' `useMultiFileAuthState` wrote.
    Folder { path: PathBuf, phone: Option<String>, push_name: Option<String> },
    /// An archive that whatsapp-web.js' `RemoteAuth` wrote.
    Zip { path: PathBuf },
}

impl Credentials {
    pub(super) fn folder(path: &Path) -> Result<Self> {
        let text = fs::read(path.join("creds.json"))?;
        let wrong = |what: &str| Error::new(Kind::InvalidData, what).with("file", "creds.json");
        let creds: Value = match crate::json::parse(&text) {
            Ok(creds) => creds,
            Err(_) if text.is_empty() => return Err(wrong("creds.json is empty: this pairing is lost")),
            Err(_) => return Err(wrong("creds.json is not JSON; it may be cut off")),
        };
        if creds.get("noiseKey").is_none() || creds.get("signedIdentityKey").is_none() {
            return Err(wrong("creds.json has no keys, so it is not what Baileys writes"));
        }
        let me = |name: &str| creds.get("me").and_then(|me| me.get(name)).and_then(Value::as_str);
        let phone = me("id").and_then(address::phone_digits);
        Ok(Credentials::Folder { path: path.to_owned(), phone, push_name: me("name").map(str::to_owned) })
    }

    pub(super) fn zip(path: &Path) -> Result<Self> {
        let damaged = |e: zip::result::ZipError| {
            let text = format!("this zip archive is damaged or cut off: {e}");
            Error::new(Kind::InvalidData, text)
        };
        if fs::metadata(path)?.len() > MAX_ROW_BYTES as u64 / 4 * 3 {
            return Err(Error::new(
                Kind::Unsupported,
                "this archive is too large to be kept as one credential",
            ));
        }
        let mut archive = zip::ZipArchive::new(File::open(path)?).map_err(damaged)?;
        let chrome = |name: &str| ["IndexedDB/", "Local Storage/"].iter().any(|part| name.contains(part));
        if !archive.file_names().flatten().any(|name| chrome(&name)) {
            return Err(looks_like("a zip archive, but not a session that whatsapp-web.js has saved"));
        }
        // Read to the end, so that every checksum is compared.
        for i in 0..archive.len() {
            let mut file = archive.by_index(i).map_err(damaged)?;
            io::copy(&mut file, &mut io::sink()).map_err(|e| damaged(e.into()))?;
        }
        Ok(Credentials::Zip { path: path.to_owned() })
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Credentials::Folder { .. } => "auth folder of Baileys",
            Credentials::Zip { .. } => "session archive of whatsapp-web.js",
        }
    }

    /// The name of the session, if nobody says another.
    pub(in crate::takeover) fn session_name(&self) -> Option<String> {
        let (Credentials::Folder { path, .. } | Credentials::Zip { path }) = self;
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let name = if matches!(self, Credentials::Zip { .. }) { path.file_stem() } else { path.file_name() };
        let name = name?.to_str()?;
        let name = ["RemoteAuth-", "session-"].iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
        Some(name.to_owned()).filter(|n| !n.is_empty())
    }

    /// The account's number and name, where the credentials tell.
    pub(in crate::takeover) fn account(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Credentials::Folder { phone, push_name, .. } => (phone.as_deref(), push_name.as_deref()),
            Credentials::Zip { .. } => (None, None),
        }
    }

    /// Hands over every piece with the name of its file.
    pub(in crate::takeover) fn each(
        &self,
        mut take: impl FnMut(&str, std::result::Result<Credential, Wrong>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Credentials::Zip { path } => {
                let at = changed(path)?;
                let (category, key_id) = (Text::from(REMOTE_AUTH), Text::from(at.to_string()));
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                take(&name, Ok(Credential { category, key_id, value: fs::read(path)?, at }))
            }
            Credentials::Folder { path, .. } => {
                let mut names: Vec<String> = fs::read_dir(path)?
                    .map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned()))
                    .collect::<io::Result<_>>()?;
                names.sort_unstable();
                names.iter().try_for_each(|name| {
                    let path = path.join(name);
                    if !path.is_file() || name.starts_with('.') {
                        return Ok(());
                    }
                    take(name, credential(name, &path)?)
                })
            }
        }
    }
}

fn credential(name: &str, path: &Path) -> Result<std::result::Result<Credential, Wrong>> {
    let Some(stem) = name.strip_suffix(".json") else {
        return Ok(Err(Wrong::new("", "this file is none that Baileys writes")));
    };
    let (category, key_id) = if stem == "creds" {
        (Text::from("creds"), Text::from(""))
    } else {
        let known = KEY_TYPES.iter().find_map(|t| Some((*t, stem.strip_prefix(t)?.strip_prefix('-')?)));
        let Some((category, id)) = known else {
            return Ok(Err(Wrong::new("", "this file holds no kind of key that Baileys has")));
        };
        (Text::from(category), from_file_name(id))
    };
    let value = fs::read(path)?;
    if crate::json::parse(&value).is_err() {
        let why =
            if value.is_empty() { "the file is empty" } else { "the file is not JSON; it may be cut off" };
        return Ok(Err(Wrong::new("", why)));
    }
    Ok(Ok(Credential { category, key_id, value, at: changed(path)? }))
}

fn changed(path: &Path) -> Result<Timestamp> {
    let since = fs::metadata(path)?.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(Timestamp::EPOCH.plus(since))
}
