//! Secrets at rest, pure: keys, the form of a sealed value, and which values of a row are sealed.
//!
//! A secret is sealed with XChaCha20-Poly1305 under a key that is derived from the store key, with a random nonce, and
//! is bound to its place: table, column, row, and inside a document the path. So it opens nowhere else. It stands in
//! its own column, behind a mark that names the form and the key:
//!
//! | column | stored |
//! |---|---|
//! | text | `openwa-sealed:1:` key id (16 hex digits) `:` nonce, ciphertext and tag in base64 |
//! | JSON | the same as a JSON string; of a session's `config` only the secrets inside are such strings |
//! | bytes | `openwa-sealed:1:` key id (8 bytes), nonce (24), ciphertext, tag (16) |
//!
//! A value in clear that begins like a mark is kept behind `openwa-sealed:0:`, so that none can be taken for another.

mod form;
mod inside;
mod key;
mod row;

pub use key::StoreKey;
pub(crate) use key::{KeyId, SealKey};
pub(crate) use row::{Dropped, Keys, OpenedRow, Own, Replaced, Target, drop_lost, is_as_wanted, open_value};
