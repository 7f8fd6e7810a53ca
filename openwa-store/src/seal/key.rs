//! The store key, and the key that seals.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::Mac;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Kind, Result};
use crate::policy::mac;

/// Bytes of a store key.
const KEY: usize = 32;
/// Bytes of a nonce: so many that random ones never meet.
const NONCE: usize = 24;
/// What the key that seals is derived for; another form of sealing would have another.
const PURPOSE: &[u8] = b"openwa-store: secrets at rest, form 1";

/// The key that a store's secrets are sealed with: 32 random bytes, which the host keeps. `Debug` does not show it,
/// and its memory is cleared when it is dropped.
///
/// ```
/// # use openwa_store::StoreKey;
/// let key = StoreKey::generate()?;
/// let same: StoreKey = key.to_hex().parse()?;
/// assert_eq!(same.id(), key.id());
/// # Ok::<(), openwa_store::Error>(())
/// ```
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; KEY]>);

impl StoreKey {
    /// A new key from the system's generator.
    ///
    /// # Errors
    /// `Internal` if that gives no random numbers.
    pub fn generate() -> Result<Self> {
        let mut key = Zeroizing::new([0; KEY]);
        random(&mut *key)?;
        Ok(StoreKey(key))
    }

    /// The key of these bytes. They should be random: a password is not.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY]) -> Self {
        StoreKey(Zeroizing::new(bytes))
    }

    /// Reads a key from a file: as text (see [`FromStr`]), or as 32 bytes.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else, those of reading; with the path in the context.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let read = || {
            let content = Zeroizing::new(std::fs::read(path)?);
            Self::from_content(&content)
        };
        read().map_err(|e: Error| e.with("path", path.display()))
    }

    /// The key in the content of a file.
    pub(crate) fn from_content(content: &[u8]) -> Result<Self> {
        if let Ok(key) = <[u8; KEY]>::try_from(content) {
            return Ok(StoreKey::from_bytes(key));
        }
        std::str::from_utf8(content).map_err(|_| no_key())?.parse()
    }

    /// The key as 64 hexadecimal digits, for the place where it is kept.
    #[must_use]
    pub fn to_hex(&self) -> String {
        mac::to_hex(&*self.0)
    }

    /// What the key is called in a store and in messages. It tells nothing about the key.
    #[must_use]
    pub fn id(&self) -> String {
        SealKey::of(self).id().to_string()
    }
}

impl FromStr for StoreKey {
    type Err = Error;

    /// Reads 64 hexadecimal digits, or 32 bytes in base64; white space around them does not count.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Some(key) = mac::from_hex(text) {
            return Ok(StoreKey::from_bytes(key));
        }
        let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let read = |alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok();
        let bytes = read(&alphabet::STANDARD).or_else(|| read(&alphabet::URL_SAFE)).map(Zeroizing::new);
        let key = bytes.and_then(|bytes| <[u8; KEY]>::try_from(bytes.as_slice()).ok());
        key.map(StoreKey::from_bytes).ok_or_else(no_key)
    }
}

fn no_key() -> Error {
    Error::invalid("store_key", "a store key is 32 bytes: 64 hexadecimal digits, or base64")
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(<secret>)")
    }
}

fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|e| Error::new(Kind::Internal, "the system gives no random numbers").caused_by(e))
}

/// Names a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyId(pub(super) [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl KeyId {
    /// Reads 16 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(|n| KeyId(n.to_be_bytes()))
    }
}

/// The key that seals, derived from a store key. It is what a rotation leaves for processes that know only the other
/// key: with it they can go on, and learn nothing of the store key itself.
pub(crate) struct SealKey {
    id: KeyId,
    secret: Zeroizing<[u8; KEY]>,
    cipher: XChaCha20Poly1305,
}

impl SealKey {
    pub(crate) fn of(key: &StoreKey) -> Self {
        let derived = mac::hmac_sha256(&*key.0).chain_update(PURPOSE).finalize().into_bytes();
        Self::from_secret(Zeroizing::new(derived.into()))
    }

    fn from_secret(secret: Zeroizing<[u8; KEY]>) -> Self {
        let digest = Sha256::new().chain_update(b"key id").chain_update(*secret).finalize();
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        let cipher = XChaCha20Poly1305::new(&(*secret).into());
        SealKey { id: KeyId(id), secret, cipher }
    }

    pub(crate) fn id(&self) -> KeyId {
        self.id
    }

    /// Nonce, ciphertext and tag of a value at a place.
    pub(crate) fn seal(&self, place: &[u8], value: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), Payload { msg: value, aad: place });
        let sealed =
            sealed.map_err(|_| Error::new(Kind::InvalidArgument, "the value is too long to seal"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// The value that [`seal`](Self::seal) sealed; `None`: damaged, or of another place or key.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        let nonce = XNonce::from(<[u8; NONCE]>::try_from(nonce).ok()?);
        self.cipher.decrypt(&nonce, Payload { msg: sealed, aad: place }).ok()
    }

    /// Another key, sealed with this one.
    pub(crate) fn wrap(&self, other: &SealKey) -> Result<Vec<u8>> {
        self.seal(&other.id.0, &*other.secret)
    }

    /// The key of this id that was wrapped with this one.
    pub(crate) fn unwrap(&self, id: KeyId, wrapped: &[u8]) -> Option<SealKey> {
        let secret = Zeroizing::new(self.open(&id.0, wrapped)?);
        let key = SealKey::from_secret(Zeroizing::new(secret.as_slice().try_into().ok()?));
        (key.id == id).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_as_hex_and_as_base64_of_any_kind() {
        let key = StoreKey::from_bytes([0xfb; KEY]);
        for text in [
            "fb".repeat(32),
            "FB".repeat(32) + "\n",
            " +/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=".to_owned(),
            "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s".to_owned(),
        ] {
            assert_eq!(text.parse::<StoreKey>().unwrap().to_hex(), key.to_hex(), "{text}");
        }
        for bad in ["", "fb", &"f".repeat(63), &"g".repeat(64), "correct horse battery staple", "+/v7"] {
            let e = bad.parse::<StoreKey>().unwrap_err();
            assert_eq!((e.kind(), e.context("column")), (Kind::InvalidArgument, Some("store_key")));
            assert!(bad.is_empty() || !e.to_string().contains(bad));
        }
        assert_eq!(format!("{key:?}"), "StoreKey(<secret>)");
    }

    /// Keys are derived the same way for ever: these come from another implementation of HMAC, SHA-256 and the AEAD.
    #[test]
    fn a_sealed_value_opens_at_its_place_only() {
        let (key, other) =
            (SealKey::of(&StoreKey::from_bytes([1; KEY])), SealKey::of(&StoreKey::from_bytes([2; KEY])));
        let sealed = key.seal(b"here", b"value").unwrap();
        assert_eq!(sealed.len(), NONCE + 5 + 16);
        assert_ne!(key.seal(b"here", b"value").unwrap(), sealed, "nonces are random");
        assert_eq!(key.open(b"here", &sealed).as_deref(), Some(&b"value"[..]));
        assert_eq!(key.open(b"there", &sealed), None);
        assert_eq!(other.open(b"here", &sealed), None);
        for i in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[i] ^= 1;
            assert_eq!(key.open(b"here", &damaged), None, "byte {i}");
            assert_eq!(key.open(b"here", &sealed[..i]), None, "{i} bytes");
        }
    }

    #[test]
    fn a_wrapped_key_is_the_key() {
        let (key, other) =
            (SealKey::of(&StoreKey::from_bytes([1; KEY])), SealKey::of(&StoreKey::from_bytes([2; KEY])));
        let wrapped = key.wrap(&other).unwrap();
        assert_eq!(key.unwrap(other.id(), &wrapped).unwrap().id(), other.id());
        assert!(key.unwrap(key.id(), &wrapped).is_none());
        assert!(other.unwrap(other.id(), &wrapped).is_none());
    }
}
