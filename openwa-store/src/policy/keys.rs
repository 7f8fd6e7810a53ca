//! API keys: how they are made, hashed, recognised and shown.
//!
//! A key is [`MARK`] and 64 lower-case hex digits: 32 bytes of the system's generator, so a plain SHA-256 is
//! enough to keep it; slow password hashes exist for secrets that can be guessed. Any other string may serve
//! as a key too (a bootstrap secret from the environment). A *pepper* is a secret of the host that is mixed
//! into every hash, so that a stolen database alone does not even confirm a guess.

use std::fmt;

use hmac::Mac;
use hmac::digest::CtOutput;
use sha2::{Digest, Sha256};

use super::mac;
use crate::error::{Error, Kind, Result};

/// What every generated key starts with: the product, and the version of this scheme.
pub const MARK: &str = "owa_k1_";

/// Random bytes in a key.
const SECRET_BYTES: usize = 32;

/// Characters of a key that lists show: [`MARK`] and five digits.
pub const PREFIX_CHARS: usize = 12;

/// A key that was just made. It is shown once; `Debug` never prints it.
pub struct GeneratedKey(String);

impl GeneratedKey {
    /// The key itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The key itself, to be handed out.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GeneratedKey(<secret>)")
    }
}

/// Makes a key from the system's generator.
///
/// # Errors
/// `Internal` when the system has no random bytes to give.
pub fn generate() -> Result<GeneratedKey> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret)
        .map_err(|e| Error::new(Kind::Internal, "the system gave no random bytes").caused_by(e))?;
    Ok(GeneratedKey(format!("{MARK}{}", mac::to_hex(&secret))))
}

/// Takes a key that the host brings along (a bootstrap secret), without the white space around it.
///
/// # Errors
/// `InvalidArgument` when nothing is left.
pub fn check(key: &str) -> Result<&str> {
    match key.trim() {
        "" => Err(Error::invalid("key", "an API key must not be empty")),
        key => Ok(key),
    }
}

/// The hash of a key as 32 bytes: SHA-256 of the trimmed key, or HMAC-SHA256 of it keyed by `pepper`.
/// An empty pepper is none.
#[must_use]
pub fn digest(key: &str, pepper: Option<&[u8]>) -> [u8; 32] {
    let key = key.trim().as_bytes();
    match pepper {
        Some(pepper) if !pepper.is_empty() => {
            mac::hmac_sha256(pepper).chain_update(key).finalize().into_bytes().into()
        }
        _ => Sha256::digest(key).into(),
    }
}

/// The hash of a key as it is stored: [`digest`] in 64 lower-case hex digits.
#[must_use]
pub fn hash(key: &str, pepper: Option<&[u8]>) -> String {
    mac::to_hex(&digest(key, pepper))
}

/// The bytes of a stored hash; `None` when it is not 64 hex digits.
#[must_use]
pub fn parse_hash(stored: &str) -> Option<[u8; 32]> {
    mac::from_hex(stored)
}

/// Whether two digests are equal, in a time that does not depend on where they differ.
#[must_use]
pub fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    CtOutput::<Sha256>::new((*a).into()) == CtOutput::new((*b).into())
}

/// The first [`PREFIX_CHARS`] characters of the trimmed key, by which people tell keys apart. It is stored
/// and shown in clear: five of the 64 digits of a generated key, but most of a short bootstrap secret, which
/// should be long.
#[must_use]
pub fn prefix(key: &str) -> &str {
    let key = key.trim();
    key.char_indices().nth(PREFIX_CHARS).map_or(key, |(end, _)| &key[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_have_the_form_and_differ() {
        let (a, b) = (generate().unwrap(), generate().unwrap());
        let digits = a.expose().strip_prefix(MARK).unwrap();
        assert!(
            digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        assert_ne!(a.expose(), b.expose());
        assert_eq!(format!("{a:?}"), "GeneratedKey(<secret>)");
        assert_eq!(prefix(a.expose()), &a.expose()[..12]);
    }

    #[test]
    fn digests_compare_by_every_byte() {
        let a = digest("a", None);
        for i in 0..32 {
            let mut b = a;
            b[i] ^= 0x80;
            assert!(!equal(&a, &b), "{i}");
        }
        assert!(equal(&a, &parse_hash(&hash("a", None)).unwrap()));
    }
}
