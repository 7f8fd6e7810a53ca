//! Text that any JavaScript, Python or C host may hand over, in a form that every engine can keep.
//!
//! A JavaScript string may carry U+0000 and *lone surrogates* (halves of a UTF-16 pair). PostgreSQL refuses
//! the first, every database and Rust's `str` refuse the second. [`Text`] keeps both with one escape:
//!
//! | in the text | as stored |
//! |---|---|
//! | U+0000 | `␛0000` |
//! | lone surrogate U+D83D | `␛D83D` |
//! | `␛` (U+241B) itself | `␛241B` |
//!
//! Everything else is stored as it is, so for all but the strangest text the stored form *is* the text. This
//! module is the only place that knows the escape; the same one serves inside JSON (see [`crate::json`]).

use std::borrow::Cow;
use std::fmt;

/// U+241B, SYMBOL FOR ESCAPE: visible in a database browser, and rare in what people write.
const ESC: char = '\u{241B}';
/// The escape character as UTF-8.
pub(crate) const ESC_UTF8: &[u8] = "\u{241B}".as_bytes();

/// A piece of text in its stored form.
///
/// Make one from any string (`"hi".into()`) or from UTF-16 ([`Text::from_utf16`]). `Display` and
/// [`Text::decode`] give the text back, with U+FFFD for a lone surrogate; [`Text::to_utf16`] is exact.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(String);

impl Text {
    /// The stored form. The same as the text unless that holds U+0000, U+241B or a lone surrogate.
    #[must_use]
    pub fn as_stored(&self) -> &str {
        &self.0
    }

    /// Takes a string that is already in the stored form, as read from a database.
    #[must_use]
    pub fn from_stored(stored: impl Into<String>) -> Self {
        Text(stored.into())
    }

    /// Takes UTF-16 as JavaScript has it, lone surrogates included.
    #[must_use]
    pub fn from_utf16(units: &[u16]) -> Self {
        let mut out = String::with_capacity(units.len());
        for item in char::decode_utf16(units.iter().copied()) {
            match item {
                Ok(c) => push_char(&mut out, c),
                Err(lone) => push_escape(&mut out, lone.unpaired_surrogate()),
            }
        }
        Text(out)
    }

    /// The text as UTF-16, exactly as JavaScript had it.
    #[must_use]
    pub fn to_utf16(&self) -> Vec<u16> {
        let mut out = Vec::with_capacity(self.0.len());
        for piece in Pieces(&self.0) {
            match piece {
                Piece::Plain(s) => out.extend(s.encode_utf16()),
                Piece::Unit(u) => out.push(u),
            }
        }
        out
    }

    /// The text as a Rust string. A lone surrogate, which a Rust string cannot hold, becomes U+FFFD.
    #[must_use]
    #[inline]
    pub fn decode(&self) -> Cow<'_, str> {
        if self.0.is_ascii() { Cow::Borrowed(&self.0) } else { self.decode_beyond_ascii() }
    }

    fn decode_beyond_ascii(&self) -> Cow<'_, str> {
        // Nearly no text has even the escape's first byte, and one byte is found at memory speed.
        if memchr::memchr(ESC_UTF8[0], self.0.as_bytes()).is_none() || !self.0.contains(ESC) {
            return Cow::Borrowed(&self.0);
        }
        let mut out = String::with_capacity(self.0.len());
        for piece in Pieces(&self.0) {
            match piece {
                Piece::Plain(s) => out.push_str(s),
                Piece::Unit(u) => out.push(char::from_u32(u.into()).unwrap_or(char::REPLACEMENT_CHARACTER)),
            }
        }
        Cow::Owned(out)
    }

    /// Length in characters (code points; a lone surrogate is one).
    #[must_use]
    pub fn chars(&self) -> usize {
        if self.0.is_ascii() {
            return self.0.len();
        }
        Pieces(&self.0).map(|p| if let Piece::Plain(s) = p { s.chars().count() } else { 1 }).sum()
    }

    /// Whether there is no character at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A stretch of stored text: as it is, or one escaped UTF-16 unit.
enum Piece<'a> {
    Plain(&'a str),
    Unit(u16),
}

struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.0.is_empty() {
            return None;
        }
        if let Some(unit) = escape_at_start(self.0) {
            self.0 = &self.0[ESC_UTF8.len() + 4..];
            return Some(Piece::Unit(unit));
        }
        // A bare ESC that starts no escape stands for itself: search from behind it.
        let skip = if self.0.starts_with(ESC) { ESC_UTF8.len() } else { 0 };
        let end = self.0[skip..].find(ESC).map_or(self.0.len(), |i| i + skip);
        let (plain, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(Piece::Plain(plain))
    }
}

/// The unit that an escape at the start of `s` stands for, if there is one.
pub(crate) fn escape_at_start(s: &str) -> Option<u16> {
    let digits = s.strip_prefix(ESC)?.get(..4)?;
    if !digits.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)) {
        return None;
    }
    let unit = u16::from_str_radix(digits, 16).ok()?;
    (unit == 0 || unit == ESC as u16 || (0xD800..=0xDFFF).contains(&unit)).then_some(unit)
}

/// Appends the escape for one UTF-16 unit.
pub(crate) fn push_escape(out: &mut String, unit: u16) {
    use fmt::Write;
    let _ = write!(out, "{ESC}{unit:04X}");
}

fn push_char(out: &mut String, c: char) {
    if c == '\0' || c == ESC {
        push_escape(out, c as u16);
    } else {
        out.push(c);
    }
}

fn needs_escape(s: &str) -> bool {
    // Nearly no text has either byte, and both are found at memory speed.
    memchr::memchr2(0, ESC_UTF8[0], s.as_bytes()).is_some() && s.contains(['\0', ESC])
}

impl From<&str> for Text {
    fn from(s: &str) -> Self {
        if !needs_escape(s) {
            return Text(s.to_owned());
        }
        let mut out = String::with_capacity(s.len() + 8);
        s.chars().for_each(|c| push_char(&mut out, c));
        Text(out)
    }
}

impl From<String> for Text {
    fn from(s: String) -> Self {
        if needs_escape(&s) { Text::from(s.as_str()) } else { Text(s) }
    }
}

impl From<&String> for Text {
    fn from(s: &String) -> Self {
        Text::from(s.as_str())
    }
}

impl From<&Text> for Text {
    fn from(t: &Text) -> Self {
        t.clone()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.decode())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        if needs_escape(other) { self.0 == Text::from(other).0 } else { self.0 == other }
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_escape_and_surrogates_come_back() {
        let units = [0x61, 0, 0x241B, 0xD83D, 0x62, 0xDE00, 0xD83D, 0xDE00];
        let t = Text::from_utf16(&units);
        assert_eq!(t.as_stored(), "a␛0000␛241B␛D83Db␛DE00😀");
        assert_eq!(t.to_utf16(), units);
        assert_eq!(t.decode(), "a\0␛\u{FFFD}b\u{FFFD}😀");
        assert_eq!(t.chars(), 7);
    }

    #[test]
    fn plain_text_that_looks_like_an_escape_is_kept_apart() {
        let t = Text::from("␛D83D");
        assert_eq!(t.as_stored(), "␛241BD83D");
        assert_eq!(t.decode(), "␛D83D");
        assert_eq!(t, "␛D83D");
    }

    #[test]
    fn a_foreign_bare_escape_character_stands_for_itself() {
        for s in ["␛", "␛x", "␛00", "␛␛0000", "␛d83d", "a␛"] {
            let t = Text::from_stored(s);
            assert_eq!(String::from_utf16_lossy(&t.to_utf16()), t.decode(), "{s}");
        }
    }
}
