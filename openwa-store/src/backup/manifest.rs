//! What a backup says of itself.

use std::collections::BTreeMap;

use rustic_core::repofile::SnapshotFile;
use serde::{Deserialize, Serialize};

use super::report::{Backup, Form};
use super::sources::Known;
use crate::entity::{self, Database, TABLES};
use crate::error::{Error, Kind, Result};
use crate::schema::Applied;
use crate::time::Timestamp;

/// The value of `format`.
const FORMAT: &str = "openwa-backup";
/// The newest version that this library reads, and the one it writes.
const VERSION: u32 = 1;
/// Its name among the files of the backup.
pub(super) const FILE: &str = "manifest.json";
/// The folder of the files in the snapshot.
pub(super) const FOLDER: &str = "/openwa";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: String,
    version: u32,
    /// Version of the library.
    library: String,
    pub(super) main: Content,
    pub(super) data: Content,
    /// When the newest credential last changed.
    #[serde(with = "iso_or_null")]
    pub(super) credentials_at: Option<Timestamp>,
    /// Whether the secrets in it are sealed.
    #[serde(default)]
    sealed: bool,
}

/// What is known of one database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Content {
    /// Name of the file in the backup.
    pub(super) file: String,
    /// A name of [`Form`].
    form: String,
    /// Engine and its version.
    pub(super) engine: String,
    /// The schema on the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<String>,
    /// The moment that it shows.
    #[serde(with = "iso")]
    pub(super) at: Timestamp,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// The last step of its migrations.
    pub(super) step: i64,
    /// Rows per table.
    pub(super) rows: BTreeMap<String, u64>,
}

/// What was found while a database was copied.
pub(super) struct Copied {
    pub(super) file: &'static str,
    pub(super) form: Form,
    pub(super) engine: String,
    pub(super) schema: Option<String>,
    pub(super) at: Timestamp,
    pub(super) steps: Vec<Applied>,
    pub(super) rows: Vec<(&'static str, u64)>,
}

impl Content {
    pub(super) fn new(copied: Copied, bytes: u64, sha256: String) -> Self {
        let applied = copied.steps.iter().filter(|step| step.applied_at.is_some());
        Content {
            file: copied.file.to_owned(),
            form: copied.form.name().to_owned(),
            engine: copied.engine,
            schema: copied.schema,
            at: copied.at,
            bytes,
            sha256,
            step: applied.map(|step| step.version).max().unwrap_or(0),
            rows: copied.rows.into_iter().map(|(table, rows)| (table.to_owned(), rows)).collect(),
        }
    }

    pub(super) fn form(&self) -> Result<Form> {
        self.form.parse().map_err(|_| {
            too_new(&format!("Data is in a form that this library does not know: {}", self.form))
        })
    }

    /// Fails when what was found in place of it has other rows.
    pub(super) fn compare_rows(&self, found: &[(&'static str, u64)]) -> Result<()> {
        for (table, rows) in &self.rows {
            let there = found.iter().find(|(name, _)| name == table).map(|(_, n)| *n);
            if there != Some(*rows) {
                let there = there.map_or_else(|| "no such table".to_owned(), |n| format!("{n} rows"));
                let text = format!("{table} should have {rows} rows, there is {there}");
                return Err(Error::new(Kind::Corrupt, text).with("table", table));
            }
        }
        Ok(())
    }
}

impl Manifest {
    pub(super) fn new(main: Content, data: Content, known: &Known) -> Self {
        let library = env!("CARGO_PKG_VERSION").to_owned();
        let Known { credentials_at, sealed } = *known;
        Manifest { format: FORMAT.to_owned(), version: VERSION, library, main, data, credentials_at, sealed }
    }

    pub(super) fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::new(Kind::Internal, format!("a manifest: {e}")))
    }

    /// The manifest of a snapshot; `None`: another program made it.
    pub(super) fn of(snapshot: &SnapshotFile) -> Result<Option<Self>> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let Some(text) = &snapshot.description else { return Ok(None) };
        let Some(head) = serde_json::from_str::<Head>(text).ok().filter(|head| head.format == FORMAT) else {
            return Ok(None);
        };
        let named = |e: Error| e.with("backup", snapshot.id.to_hex().as_str());
        if head.version > VERSION {
            return Err(named(too_new(&format!(
                "the backup has format {}, this library reads up to {VERSION}",
                head.version
            ))));
        }
        let read = serde_json::from_str(text).map_err(|e| {
            named(Error::new(Kind::Corrupt, format!("the manifest of the backup cannot be read: {e}")))
        });
        read.map(Some)
    }

    pub(super) fn contents(&self) -> [&Content; 2] {
        [&self.main, &self.data]
    }

    /// Rows per table, in the library's own order.
    pub(super) fn tables(&self) -> Vec<(&'static str, u64)> {
        let rows = |table: &entity::Table| {
            let of = if table.database == Database::Main { &self.main } else { &self.data };
            of.rows.get(table.name).copied()
        };
        TABLES.iter().filter_map(|table| Some((table.name, rows(table)?))).collect()
    }

    /// The backup that a snapshot is.
    pub(super) fn backup(&self, snapshot: &SnapshotFile) -> Result<Backup> {
        Ok(Backup {
            id: snapshot.id.to_hex().as_str().to_owned(),
            name: snapshot.label.clone(),
            host: snapshot.hostname.clone(),
            main_at: self.main.at,
            data_at: self.data.at,
            library: self.library.clone(),
            data_form: self.data.form()?,
            data_engine: self.data.engine.clone(),
            rows: self.contents().iter().flat_map(|content| content.rows.values()).sum(),
            bytes: self.contents().iter().map(|content| content.bytes).sum(),
            sealed: self.sealed,
            added: snapshot.summary.as_ref().map_or(0, |summary| summary.data_added_packed),
        })
    }
}

fn too_new(text: &str) -> Error {
    Error::new(Kind::SchemaTooNew, format!("{text}; use the newer library that made it"))
}

mod iso {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::time::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(at.iso().as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        Timestamp::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

mod iso_or_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::time::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        at.map(|at| at.to_string()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| Timestamp::parse(&text).map_err(de::Error::custom)).transpose()
    }
}
