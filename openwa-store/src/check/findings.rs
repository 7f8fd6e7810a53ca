//! What a check can find, and what to say of it.

use crate::entity::Database;
use crate::record::shape;
use crate::text::Text;
use crate::value::names;

use super::Counted;

names! {
    /// A way in which something can be wrong.
    pub enum FindingKind {
        /// The file itself is damaged.
        DamagedPages = "damaged_pages",
        /// An index does not agree with its table, or cannot be used.
        DamagedIndex = "damaged_index",
        /// Rows belong to a row that does not exist.
        Orphan = "orphan",
        /// The counters of a bulk job are not what its messages say.
        WrongCounters = "wrong_counters",
        /// Messages cannot be found by their WhatsApp id (PostgreSQL).
        MessageWithoutId = "message_without_id",
        /// A WhatsApp id is taken by a message that does not exist, so that it can never be stored (PostgreSQL).
        IdWithoutMessage = "id_without_message",
        /// Several messages of one session have the same WhatsApp id.
        DuplicateMessage = "duplicate_message",
        /// A month has rows that claim to be of a later one, and the list of such months does not say so (PostgreSQL).
        UnlistedMonth = "unlisted_month",
        /// Rows are in the default partition although they belong to a month (PostgreSQL).
        MisplacedRow = "misplaced_row",
        /// Reactions to a message that is not there.
        LostReaction = "lost_reaction",
        /// Values that cannot be read: no time, no UUID, no JSON, none of the known names.
        UnreadableValue = "unreadable_value",
    }
}

shape! { output:
/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which way.
    pub kind: FindingKind,
    /// `main` or `data`.
    pub database: &'static str,
    /// The table; on PostgreSQL it may be that of a month. Empty: it cannot be told.
    pub table: String,
    /// The column or index.
    pub part: Option<String>,
    /// How many rows, or how many places.
    pub count: u64,
    /// The key of one of the rows, or what SQLite says.
    pub example: Option<Text>,
    /// Whether `repair` can mend it.
    pub repairable: bool,
    /// What is wrong, for people.
    pub text: String,
    /// What to do about it, for people.
    pub advice: &'static str,
}
}

shape! { output:
/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Everything that is wrong; empty: nothing is.
    pub findings: Vec<Finding>,
    /// The same for people, one line each.
    pub problems: Vec<String>,
}
}

shape! { input:
/// How to repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairOptions {
    /// Only says what would be repaired.
    pub dry_run: bool,
}
}

shape! { output:
/// What a repair did, or with `dry_run` would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// What was wrong before.
    pub found: Vec<Finding>,
    /// What was repaired, or would be.
    pub repaired: Vec<Repaired>,
    /// What is still wrong after it, found by a second check; with `dry_run`, what would be left.
    pub left: Vec<Finding>,
    /// Repairs that did not work, for people.
    pub failed: Vec<String>,
}
}

shape! { output:
/// One repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// What was wrong.
    pub kind: FindingKind,
    /// `main` or `data`.
    pub database: &'static str,
    /// The table.
    pub table: String,
    /// How many rows, or how many places.
    pub count: u64,
}
}

impl CheckReport {
    pub(crate) fn new(findings: Vec<Finding>) -> Self {
        let problems = findings.iter().map(|f| format!("{}: {}", f.database, f.text)).collect();
        CheckReport { findings, problems }
    }
}

impl FindingKind {
    /// Whether it can be mended without losing anything.
    const fn is_repairable(self) -> bool {
        match self {
            FindingKind::DamagedIndex
            | FindingKind::WrongCounters
            | FindingKind::MessageWithoutId
            | FindingKind::IdWithoutMessage
            | FindingKind::UnlistedMonth
            | FindingKind::MisplacedRow
            | FindingKind::LostReaction => true,
            FindingKind::DamagedPages
            | FindingKind::Orphan
            | FindingKind::DuplicateMessage
            | FindingKind::UnreadableValue => false,
        }
    }

    /// What a repair does, or what else is to be done.
    const fn advice(self) -> &'static str {
        match self {
            FindingKind::DamagedPages => {
                "stop the gateway, keep a copy of the files, and restore a backup; without one, `openwa export --table` \
                 still brings out every table that can be read"
            }
            FindingKind::DamagedIndex => "a repair builds the index anew",
            FindingKind::Orphan => {
                "nothing can reach these rows; bring back what they belong to from a backup, or delete them by hand"
            }
            FindingKind::WrongCounters => "a repair writes what a recount says",
            FindingKind::MessageWithoutId => "a repair enters the ids",
            FindingKind::IdWithoutMessage => {
                "a repair frees the ids, so that the messages can be stored when they come"
            }
            FindingKind::DuplicateMessage => {
                "which of the rows is right cannot be told: compare them, then delete one by hand"
            }
            FindingKind::UnlistedMonth => {
                "a repair lists the month; until then pages of messages may lack these rows"
            }
            FindingKind::MisplacedRow => "a repair makes the month and moves the rows there",
            FindingKind::LostReaction => {
                "a repair lets them wait for their message, as a reaction does that comes before it"
            }
            FindingKind::UnreadableValue => {
                "reads of these rows fail and name the column; correct the value by hand, or restore a backup"
            }
        }
    }
}

impl Finding {
    pub(super) fn new(
        kind: FindingKind,
        database: Database,
        table: impl Into<String>,
        part: Option<&str>,
        counted: Counted,
        text: impl FnOnce(&str) -> String,
    ) -> Self {
        let Counted { count, example } = counted;
        Finding {
            kind,
            database: database.name(),
            table: table.into(),
            part: part.map(str::to_owned),
            count,
            text: text(example.as_ref().map_or("?", Text::as_stored)),
            example,
            repairable: kind.is_repairable(),
            advice: kind.advice(),
        }
    }

    /// What SQLite says about a damaged file.
    pub(super) fn damaged(database: Database, table: impl Into<String>, told: &str) -> Self {
        let counted = Counted { count: 1, example: Some(told.into()) };
        Finding::new(FindingKind::DamagedPages, database, table, None, counted, |told| {
            format!("the file is damaged: {told}")
        })
    }
}

/// `3 rows`, `1 row`.
pub(super) fn rows(n: u64) -> String {
    if n == 1 { "1 row".to_owned() } else { format!("{n} rows") }
}

/// A file with damaged pages is not written to: a repair could spread the damage.
pub(super) fn protect_damaged_files(findings: &mut [Finding]) {
    for database in [Database::Main.name(), Database::Data.name()] {
        let is_damaged = |f: &Finding| f.kind == FindingKind::DamagedPages && f.database == database;
        if findings.iter().any(is_damaged) {
            findings.iter_mut().filter(|f| f.database == database).for_each(|f| f.repairable = false);
        }
    }
}
