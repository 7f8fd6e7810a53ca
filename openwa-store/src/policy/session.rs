//! The life of a session: which status may follow which.
//!
//! | from | to |
//! |---|---|
//! | created | initializing |
//! | initializing | qr_ready, authenticating, ready, disconnected, failed |
//! | qr_ready | qr_ready (a new code), authenticating, ready, disconnected, failed |
//! | authenticating | ready, disconnected, failed |
//! | ready | disconnected, failed |
//! | disconnected | initializing, failed |
//! | failed | nothing; [`check_recreate`] is the way back to created |
//!
//! Engines report a status more than once, so the same status again is no error but changes nothing.

use crate::entity::SessionStatus::{
    self, Authenticating, Created, Disconnected, Failed, Initializing, QrReady, Ready,
};
use crate::error::{Error, Kind, Result};
use crate::value::names;

names! {
    /// What an allowed step does.
    pub enum Step {
        /// The session moves: its row and a log row are written.
        Move = "move",
        /// It is there already: nothing is written.
        Same = "same",
    }
}

/// Every status that may follow `from` by a [`Step::Move`].
#[must_use]
pub const fn allowed_from(from: SessionStatus) -> &'static [SessionStatus] {
    match from {
        Created => &[Initializing],
        Initializing => &[QrReady, Authenticating, Ready, Disconnected, Failed],
        QrReady => &[QrReady, Authenticating, Ready, Disconnected, Failed],
        Authenticating => &[Ready, Disconnected, Failed],
        Ready => &[Disconnected, Failed],
        Disconnected => &[Initializing, Failed],
        Failed => &[],
    }
}

/// Whether a session may go from one status to another, and what that does.
///
/// # Errors
/// `InvalidTransition` with the context `from`, `to` and `allowed`.
pub fn check(from: SessionStatus, to: SessionStatus) -> Result<Step> {
    if allowed_from(from).contains(&to) {
        Ok(Step::Move)
    } else if from == to {
        Ok(Step::Same)
    } else {
        Err(refused(from, to))
    }
}

/// Whether a session may be recreated: only a failed one, and its credentials are cleared with it.
///
/// # Errors
/// `InvalidTransition` with the context `from`, `to` and `allowed`.
pub fn check_recreate(from: SessionStatus) -> Result<()> {
    if from == Failed { Ok(()) } else { Err(refused(from, Created)) }
}

fn refused(from: SessionStatus, to: SessionStatus) -> Error {
    let allowed: Vec<&str> = allowed_from(from).iter().map(|s| s.name()).collect();
    let allowed = match from {
        Failed => "nothing but recreate or delete".to_owned(),
        _ => allowed.join(", "),
    };
    Error::new(
        Kind::InvalidTransition,
        format!("a session cannot go from {from} to {to}; allowed: {allowed}"),
    )
    .with("from", from)
    .with("to", to)
    .with("allowed", allowed)
}

/// Whether only a running engine can hold a session in this status. After a start of the gateway there is
/// none, so such a session is really disconnected.
#[must_use]
pub const fn needs_engine(status: SessionStatus) -> bool {
    matches!(status, Initializing | QrReady | Authenticating | Ready)
}

/// Whether a session has to have been started before an engine could report `to`, and nobody told: engines
/// other than Baileys have no event for their start.
#[must_use]
pub const fn started_unseen(from: SessionStatus, to: SessionStatus) -> bool {
    matches!(from, Created | Disconnected) && matches!(to, QrReady | Authenticating | Ready)
}

/// Whether a session in this status should run again after a start of the gateway: one that ran, or that had
/// lost its connection; not one that was never started, nor one that is broken.
#[must_use]
pub const fn should_restore(status: SessionStatus) -> bool {
    needs_engine(status) || matches!(status, Disconnected)
}
