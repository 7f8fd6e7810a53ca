//! HMAC-SHA256 and hexadecimal, for API keys and for the signatures of webhooks.

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

/// An HMAC-SHA256 that is ready for its message.
pub(crate) fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    // RFC 2104 defines HMAC for keys of any length, so the error of this constructor cannot occur.
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// Lower-case hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        out.push(DIGITS[usize::from(b >> 4)].into());
        out.push(DIGITS[usize::from(b & 15)].into());
    }
    out
}

/// 32 bytes from 64 hexadecimal digits in either case; `None` for anything else.
pub(crate) fn from_hex(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}
