//! The life of a bulk job and its counters.

use super::shape::{self, Fields};
use crate::entity::{BatchMessageStatus, BatchStatus};
use crate::error::{Error, Kind, Result};
use crate::json::Json;

/// Whether a job in this status never changes it again.
#[must_use]
pub const fn is_terminal(status: BatchStatus) -> bool {
    matches!(status, BatchStatus::Completed | BatchStatus::Cancelled | BatchStatus::Failed)
}

/// Whether a message in this status has its result.
#[must_use]
pub const fn is_result(status: BatchMessageStatus) -> bool {
    matches!(status, BatchMessageStatus::Sent | BatchMessageStatus::Failed | BatchMessageStatus::Cancelled)
}

/// A job's counters. They always equal a recount of its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All messages.
    pub total: i64,
    /// Those that were sent.
    pub sent: i64,
    /// Those that could not be sent.
    pub failed: i64,
    /// Those that were withdrawn.
    pub cancelled: i64,
}

impl Counts {
    /// The counters of a job with `total` messages and no results yet.
    #[must_use]
    pub const fn new(total: i64) -> Self {
        Counts { total, sent: 0, failed: 0, cancelled: 0 }
    }

    /// Counts the messages anew.
    #[must_use]
    pub fn recount(messages: impl IntoIterator<Item = BatchMessageStatus>) -> Self {
        messages.into_iter().fold(Counts::default(), |mut counts, status| {
            counts.total += 1;
            if let Some(counter) = counts.counter(status) {
                *counter += 1;
            }
            counts
        })
    }

    /// How many messages have no result yet, whether they wait or are being sent.
    #[must_use]
    pub const fn open(&self) -> i64 {
        self.total - self.sent - self.failed - self.cancelled
    }

    /// Records the result of one message.
    ///
    /// # Errors
    /// `InvalidArgument` when `result` is not a result (`pending`, `sending`); `Conflict` when every message
    /// has one.
    pub fn record(&mut self, result: BatchMessageStatus) -> Result<()> {
        let open = self.open();
        let Some(counter) = self.counter(result) else {
            return Err(Error::invalid("status", format!("{result} is not the result of a message")));
        };
        if open <= 0 {
            return Err(Error::new(Kind::Conflict, "every message of the batch has its result already"));
        }
        *counter += 1;
        Ok(())
    }

    fn counter(&mut self, status: BatchMessageStatus) -> Option<&mut i64> {
        match status {
            BatchMessageStatus::Sent => Some(&mut self.sent),
            BatchMessageStatus::Failed => Some(&mut self.failed),
            BatchMessageStatus::Cancelled => Some(&mut self.cancelled),
            BatchMessageStatus::Pending | BatchMessageStatus::Sending => None,
        }
    }
}

/// The status of a job after a message was handed out or got its result.
///
/// A terminal status stays, although the counters still move: a message that was being sent when its job was
/// cancelled reports later. Otherwise the job completes with the last result, also when all of them are
/// failures; it is [`BatchStatus::Failed`] only by a fatal error, which the host reports.
#[must_use]
pub const fn status_after(status: BatchStatus, counts: &Counts) -> BatchStatus {
    if is_terminal(status) {
        status
    } else if counts.open() <= 0 {
        BatchStatus::Completed
    } else {
        BatchStatus::Processing
    }
}

/// Whether a job may be moved by hand: any job that is not terminal may be cancelled or failed.
///
/// # Errors
/// `Conflict` with the context `status` when the job has ended already, `InvalidArgument` when `to` is a
/// status that a job reaches only by itself.
pub fn check_end(status: BatchStatus, to: BatchStatus) -> Result<()> {
    if !matches!(to, BatchStatus::Cancelled | BatchStatus::Failed) {
        return Err(Error::invalid("status", format!("a batch becomes {to} by itself only")));
    }
    if is_terminal(status) {
        return Err(Error::new(Kind::Conflict, format!("the batch is {status} already, which is final"))
            .with("status", status));
    }
    Ok(())
}

/// Checks a job's options: `delayMs` and `delayBetweenMessages` are milliseconds, whole and not negative,
/// `randomizeDelay` and `stopOnError` are true or false. Other keys are the host's own.
///
/// # Errors
/// `InvalidArgument` naming the column `options` and the path.
pub fn check_options(options: &Json) -> Result<()> {
    let value = shape::value(options, "options")?;
    let fields = Fields::of("options", &value)?;
    fields.integer("delayMs", 0, u64::MAX)?;
    fields.integer("delayBetweenMessages", 0, u64::MAX)?;
    fields.boolean("randomizeDelay")?;
    fields.boolean("stopOnError")
}

#[cfg(test)]
mod tests {
    use super::*;
    use BatchMessageStatus as M;

    #[test]
    fn a_job_completes_with_its_last_result() {
        let mut counts = Counts::new(3);
        let mut status = BatchStatus::Pending;
        for (result, after) in [
            (M::Sent, BatchStatus::Processing),
            (M::Failed, BatchStatus::Processing),
            (M::Cancelled, BatchStatus::Completed),
        ] {
            counts.record(result).unwrap();
            status = status_after(status, &counts);
            assert_eq!(status, after);
        }
        assert_eq!(counts, Counts::recount([M::Sent, M::Failed, M::Cancelled]));
        assert_eq!(counts.record(M::Sent).unwrap_err().kind(), Kind::Conflict);
    }

    #[test]
    fn waiting_is_no_result() {
        let mut counts = Counts::new(1);
        for status in [M::Pending, M::Sending] {
            assert!(!is_result(status));
            assert_eq!(counts.record(status).unwrap_err().kind(), Kind::InvalidArgument);
        }
        assert_eq!(counts, Counts::recount([M::Sending]));
    }

    #[test]
    fn terminal_states_are_final() {
        for &status in BatchStatus::ALL.iter().filter(|s| is_terminal(**s)) {
            assert_eq!(status_after(status, &Counts::new(5)), status);
            for to in [BatchStatus::Cancelled, BatchStatus::Failed] {
                assert_eq!(check_end(status, to).unwrap_err().kind(), Kind::Conflict);
                assert!(check_end(BatchStatus::Pending, to).is_ok());
            }
            assert!(check_end(BatchStatus::Pending, BatchStatus::Completed).is_err());
        }
    }

    #[test]
    fn known_options_have_their_type_and_others_are_kept() {
        let check = |s: &str| check_options(&Json::parse(s).unwrap());
        assert!(check(r#"{"delayBetweenMessages":3000,"randomizeDelay":false,"x":[]}"#).is_ok());
        assert!(check(r#"{"delayMs":null}"#).is_ok());
        for bad in [r#"{"delayMs":-1}"#, r#"{"delayMs":"1"}"#, r#"{"stopOnError":1}"#, "[]"] {
            assert_eq!(check(bad).unwrap_err().context("column"), Some("options"), "{bad}");
        }
    }
}
