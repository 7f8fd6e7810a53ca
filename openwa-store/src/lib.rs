//! The embedded store for WhatsApp gateways.

mod value;

pub mod engine;
pub mod entity;
pub mod error;
pub mod json;
pub mod policy;
pub mod text;
pub mod time;

pub use error::{Error, Kind, Result};
pub use json::Json;
pub use text::Text;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
