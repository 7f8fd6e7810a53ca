//! Engine events to changes: what Baileys, whatsapp-web.js and neonize emit, as JSON, becomes a list of
//! [`Change`]s. Pure: no database, no clock. One mapping, so that every language ingests the same way.

mod change;

pub use change::{AddressedTo, Change, ContactChange, Skipped};
