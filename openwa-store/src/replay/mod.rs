//! Replaying a log of engine events into a store.
//!
//! A log is JSON lines, one event each: `{"t": <ms>, "session": <name>, "engine": <name>, "event": <name>,
//! "data": …}`, and with Baileys a number `map`. Lines of one session with the same `map` are one event map and
//! are applied in one commit; sessions may interleave. `t` stands for the present. Replaying a log again changes
//! nothing.
//!
//! ```
//! use openwa_store::{Store, replay};
//!
//! # fn main() -> openwa_store::Result<()> {
//! let log = r#"{"t":1767600000000,"session":"shop-1","engine":"baileys","event":"messages.upsert","map":1,
//!   "data":{"messages":[{"key":{"remoteJid":"12025550143@s.whatsapp.net","id":"A1","fromMe":false},
//!   "messageTimestamp":1767600000,"message":{"conversation":"hello"}}]}}"#.replace('\n', "");
//! let store = Store::in_memory()?;
//! assert_eq!(replay::run(&store, log.as_bytes())?.sessions[0].inserted, 1);
//! assert_eq!(replay::run(&store, log.as_bytes())?.sessions[0].inserted, 0);
//! # Ok(())
//! # }
//! ```

mod input;
mod line;
mod report;

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, Read};
use std::time::Instant;

pub use input::unpacked;
pub use report::{BadLine, ReplayReport, SessionReplay};

use crate::db::Ticket;
use crate::engine::{self, Change};
use crate::error::{Error, Kind, Result};
use crate::repo::ingest::Ingested;
use crate::repo::sessions::NewSession;
use crate::store::Store;
use crate::text::Text;
use crate::time::Timestamp;
use line::Line;

/// Event maps that may be under way at once: enough to fill shared commits.
const WINDOW: usize = 2048;
/// And bytes of their lines, so that memory stays flat when a log is full of history.
const WINDOW_BYTES: usize = 8 << 20;

/// Replays the log behind `source` (plain, gzip or Zstandard), and returns when all of it is durable. Sessions
/// that are missing are created. Lines that cannot be read are counted, described and left out.
///
/// # Errors
/// Those of reading the log, with the line, and of the database. What was applied until then stays.
pub fn run(store: &Store, source: impl Read) -> Result<ReplayReport> {
    let started = Instant::now();
    let mut replay = Replay { store, lanes: Vec::new(), by_name: HashMap::new(), window: Window::default() };
    let mut report = ReplayReport::default();
    replay.read(source, &mut report)?;
    for lane in 0..replay.lanes.len() {
        replay.submit(lane)?;
    }
    while !replay.window.tickets.is_empty() {
        replay.settle_one()?;
    }
    for lane in replay.lanes {
        report.maps += lane.maps;
        report.sessions.push(lane.report);
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

struct Replay<'a> {
    store: &'a Store,
    /// One per session, in the order of appearance.
    lanes: Vec<Lane>,
    by_name: HashMap<Text, usize>,
    window: Window,
}

/// A session of the log, and its map that is still being read.
struct Lane {
    report: SessionReplay,
    maps: u64,
    open: Option<OpenMap>,
}

struct OpenMap {
    number: Option<u64>,
    at: Timestamp,
    changes: Vec<Change>,
    unknown: Vec<String>,
    bytes: usize,
}

/// What was handed to the store and not answered yet.
#[derive(Default)]
struct Window {
    tickets: VecDeque<(usize, usize, Ticket<Ingested>)>,
    bytes: usize,
}

impl Replay<'_> {
    fn read(&mut self, source: impl Read, report: &mut ReplayReport) -> Result<()> {
        let broken = |e: std::io::Error, line: u64| Error::from(e).with("line", line).during("replay");
        let mut source = unpacked(source).map_err(|e| broken(e, 1))?;
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if source.read_until(b'\n', &mut line).map_err(|e| broken(e, number))? == 0 {
                break;
            }
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            report.lines += 1;
            match self.take(text) {
                Err(e) if e.kind() == Kind::InvalidArgument => {
                    report.bad_line(number, e.message().to_owned());
                }
                done => done.map_err(|e| e.with("line", number))?,
            }
        }
        Ok(())
    }

    /// Puts a line to the map it is part of. `InvalidArgument`: it cannot be read, and nothing was done.
    fn take(&mut self, text: &[u8]) -> Result<()> {
        let line = Line::parse(text)?;
        let lane = self.lane(&line.session)?;
        let goes_on = |open: &OpenMap| line.map.is_some() && open.number == line.map;
        if !self.lanes[lane].open.as_ref().is_some_and(goes_on) {
            self.submit(lane)?;
        }
        let open = self.lanes[lane].open.get_or_insert_with(|| OpenMap {
            number: line.map,
            at: line.at,
            changes: Vec::new(),
            unknown: Vec::new(),
            bytes: 0,
        });
        open.bytes += text.len();
        if !engine::changes(line.engine, &line.event, &line.data, &mut open.changes) {
            open.unknown.push(line.event);
        }
        Ok(())
    }

    fn lane(&mut self, name: &Text) -> Result<usize> {
        if let Some(lane) = self.by_name.get(name) {
            return Ok(*lane);
        }
        let session = match self.store.sessions().find(name)? {
            Some(session) => session,
            None => {
                let new = NewSession { name: name.clone(), ..NewSession::default() };
                self.store.sessions().create(new).wait()?
            }
        };
        let report = SessionReplay::new(session.id, name.clone());
        self.lanes.push(Lane { report, maps: 0, open: None });
        self.by_name.insert(name.clone(), self.lanes.len() - 1);
        Ok(self.lanes.len() - 1)
    }

    /// Hands the open map of a session to the store.
    fn submit(&mut self, lane: usize) -> Result<()> {
        let Some(map) = self.lanes[lane].open.take() else { return Ok(()) };
        let id = self.lanes[lane].report.id;
        let ticket = self.store.ingest_changes(id, map.changes, map.unknown, Some(map.at)).submit()?;
        self.lanes[lane].maps += 1;
        self.window.bytes += map.bytes;
        self.window.tickets.push_back((lane, map.bytes, ticket));
        while self.window.tickets.len() > WINDOW || self.window.bytes > WINDOW_BYTES {
            self.settle_one()?;
        }
        Ok(())
    }

    /// Waits for the oldest map under way and counts what it did.
    fn settle_one(&mut self) -> Result<()> {
        let Some((lane, bytes, ticket)) = self.window.tickets.pop_front() else { return Ok(()) };
        self.window.bytes -= bytes;
        self.lanes[lane].report.add(&ticket.wait()?);
        Ok(())
    }
}
