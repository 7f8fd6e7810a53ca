//! Long work of the repository on a thread of its own, while the caller's hears how far it is and may stop it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rustic_core::{Progress, ProgressBars, ProgressType, RusticProgress};

use super::objects::Objects;
use super::report::BackupPhase;
use super::sources::Teller;
use crate::error::{Error, Kind, Result};

/// How often the caller hears.
const BEAT: Duration = Duration::from_millis(100);

/// Runs `work`. A panic of the library below is an error here.
pub(super) fn watched<T: Send>(
    objects: &Objects,
    teller: &mut Teller<'_>,
    phase: BackupPhase,
    done: &AtomicU64,
    total: Option<u64>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    std::thread::scope(|scope| {
        // Closed when the work ends, in whichever way.
        let (open, ended) = sync_channel::<()>(0);
        let working = scope.spawn(move || {
            let _open = open;
            work()
        });
        let mut stopped = Ok(());
        while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
            if stopped.is_ok() {
                stopped = teller.tell(phase, done.load(Ordering::Relaxed), total);
                if stopped.is_err() {
                    objects.stop();
                }
            }
        }
        let out = working.join().unwrap_or_else(|panic| Err(panicked(&*panic)));
        // What went wrong after the stop went wrong because of it.
        stopped.and(out)
    })
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let said =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let text = "the repository is damaged in a way that its library does not expect";
    Error::new(Kind::Corrupt, text).with("cause", said.unwrap_or("it says nothing"))
}

/// Counts the bytes that the repository has read of the files.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(pub(super) Arc<AtomicU64>);

impl ProgressBars for Counter {
    fn progress(&self, kind: ProgressType, _: &str) -> Progress {
        match kind {
            ProgressType::Bytes => Progress::new(self.clone()),
            _ => Progress::hidden(),
        }
    }
}

impl RusticProgress for Counter {
    fn is_hidden(&self) -> bool {
        false
    }

    fn set_length(&self, _: u64) {}

    fn set_title(&self, _: &str) {}

    fn inc(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn finish(&self) {}
}
