//! What a replay tells when it is done.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use uuid::Uuid;

use crate::engine::Skipped;
use crate::repo::ingest::Ingested;
use crate::repo::messages::Outcome;
use crate::text::Text;

/// What a replay did.
#[derive(Clone, Debug, Default)]
pub struct ReplayReport {
    /// Lines that were read, without empty ones.
    pub lines: u64,
    /// Event maps (or single events) that they made: each was applied whole or not at all.
    pub maps: u64,
    /// Lines that could not be read and were left out.
    pub bad_lines: u64,
    /// The first of those, [`ReplayReport::PROBLEMS`] at most.
    pub problems: Vec<BadLine>,
    /// Per session, in the order in which they appear in the log.
    pub sessions: Vec<SessionReplay>,
    /// How long it took, until everything was durable.
    pub elapsed: Duration,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub why: String,
}

/// What a replay did to one session.
#[derive(Clone, Debug)]
pub struct SessionReplay {
    /// The session.
    pub id: Uuid,
    /// Its name.
    pub name: Text,
    /// Deliveries of messages to keep: the sum of `inserted`, `upgraded`, `filled`, `unchanged` and `not_stored`.
    pub deliveries: u64,
    /// Messages that were new.
    pub inserted: u64,
    /// Placeholders that got their content.
    pub upgraded: u64,
    /// Messages of which something more became known.
    pub filled: u64,
    /// Deliveries with nothing new.
    pub unchanged: u64,
    /// Deliveries that are not kept, because history is off or retention has removed their time.
    pub not_stored: u64,
    /// Messages with something in them that is not acceptable.
    pub refused: u64,
    /// Acks, edits, revokes and reactions that changed something.
    pub changes: u64,
    /// Those that waited for their message when they came.
    pub waited: u64,
    /// LID-phone pairs that were new.
    pub pairs: u64,
    /// Times that a contact was new or changed.
    pub contacts: u64,
    /// Events that the library does not know, by name.
    pub unknown: BTreeMap<String, u64>,
    /// Distinct message ids per reason, as 64-bit hashes: a log may skip millions.
    skipped: HashSet<(Skipped, u64)>,
}

impl ReplayReport {
    /// How many bad lines a report describes; the rest is only counted.
    pub const PROBLEMS: usize = 20;

    /// Deliveries of all sessions.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.sessions.iter().map(|s| s.deliveries).sum()
    }

    pub(super) fn bad_line(&mut self, line: u64, why: String) {
        self.bad_lines += 1;
        if self.problems.len() < Self::PROBLEMS {
            self.problems.push(BadLine { line, why });
        }
    }
}

impl SessionReplay {
    pub(super) fn new(id: Uuid, name: Text) -> Self {
        SessionReplay {
            id,
            name,
            deliveries: 0,
            inserted: 0,
            upgraded: 0,
            filled: 0,
            unchanged: 0,
            not_stored: 0,
            refused: 0,
            changes: 0,
            waited: 0,
            pairs: 0,
            contacts: 0,
            unknown: BTreeMap::new(),
            skipped: HashSet::new(),
        }
    }

    /// How many distinct messages were left out for a reason.
    #[must_use]
    pub fn skipped(&self, reason: Skipped) -> usize {
        self.skipped.iter().filter(|(r, _)| *r == reason).count()
    }

    pub(super) fn add(&mut self, done: &Ingested) {
        self.deliveries += done.messages.len() as u64;
        for saved in &done.messages {
            *match saved.outcome {
                Outcome::Inserted => &mut self.inserted,
                Outcome::Updated { upgraded: true } => &mut self.upgraded,
                Outcome::Updated { upgraded: false } => &mut self.filled,
                Outcome::Unchanged => &mut self.unchanged,
                Outcome::NotStored { .. } => &mut self.not_stored,
            } += 1;
        }
        for (id, reason) in &done.skipped {
            let mut hasher = DefaultHasher::new();
            id.hash(&mut hasher);
            self.skipped.insert((*reason, hasher.finish()));
        }
        for name in &done.unknown {
            *self.unknown.entry(name.clone()).or_default() += 1;
        }
        self.refused += done.refused.len() as u64;
        self.changes += done.changes;
        self.waited += done.waiting;
        self.pairs += done.pairs;
        self.contacts += done.contacts;
    }
}
