//! JSON in and out, with the escape of [`crate::text`].
//!
//! JSON may write `\u0000` and lone surrogates (`"\ud83d"`), which most parsers refuse. [`Json`] keeps a
//! document as text in the stored form, so that every engine takes it, numbers keep all their digits and
//! nothing is lost; [`Json::to_json`] gives the document back as it came. Two documents are equal when their
//! *values* are.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::text::{self, ESC_UTF8};

/// A JSON document in its stored form.
#[derive(Clone)]
pub struct Json(String);

impl Json {
    /// Reads a JSON document as any host may write it.
    ///
    /// # Errors
    /// `InvalidArgument` when `json` is not one JSON document in UTF-8.
    pub fn parse(json: impl AsRef<[u8]>) -> Result<Self> {
        let stored = to_stored(json.as_ref())?;
        serde_json::from_str::<serde::de::IgnoredAny>(&stored).map_err(|e| not_json(&e))?;
        Ok(Json(stored.into_owned()))
    }

    /// The document in its stored form: valid JSON without U+0000 and lone surrogates.
    #[must_use]
    pub fn as_stored(&self) -> &str {
        &self.0
    }

    /// Takes a document that is already in the stored form, as read from a database.
    #[must_use]
    pub fn from_stored(stored: impl Into<String>) -> Self {
        Json(stored.into())
    }

    /// The document as standard JSON text.
    #[must_use]
    pub fn to_json(&self) -> Cow<'_, str> {
        to_json(&self.0)
    }

    /// The parsed value; its strings are in the stored form of [`crate::Text`].
    ///
    /// # Errors
    /// `Unreadable` when the stored text is no JSON, which only a foreign writer can cause.
    pub fn value(&self) -> Result<Value> {
        serde_json::from_str(&self.0)
            .map_err(|e| Error::new(Kind::Unreadable, "the stored text is not JSON").caused_by(e))
    }
}

/// The document without the blanks that some writers put between its parts.
pub(crate) fn without_blanks(stored: &str) -> String {
    let mut out = String::with_capacity(stored.len());
    let mut rest = stored;
    while let Some(quote) = rest.find('"') {
        let (between, string) = rest.split_at(quote);
        out.extend(between.chars().filter(|c| *c != ' '));
        let bytes = string.as_bytes();
        let mut end = 1;
        while let Some(step) = memchr::memchr2(b'"', b'\\', bytes.get(end..).unwrap_or_default()) {
            end += step + 1;
            if bytes[end - 1] == b'"' {
                break;
            }
            // What a backslash stands before is part of the string.
            end += 1;
        }
        let (string, tail) = string.split_at(end.min(string.len()));
        out.push_str(string);
        rest = tail;
    }
    out.extend(rest.chars().filter(|c| *c != ' '));
    out
}

fn not_json(e: &serde_json::Error) -> Error {
    Error::new(Kind::InvalidArgument, format!("not valid JSON: {e}"))
}

/// Parses a document into a value whose strings are in the stored form.
///
/// # Errors
/// `InvalidArgument` when `json` is not one JSON document in UTF-8.
pub fn parse(json: impl AsRef<[u8]>) -> Result<Value> {
    serde_json::from_str(&to_stored(json.as_ref())?).map_err(|e| not_json(&e))
}

/// Standard JSON to its stored form: one pass, and no copy when there is nothing to change.
pub(crate) fn to_stored(json: &[u8]) -> Result<Cow<'_, str>> {
    let s = std::str::from_utf8(json).map_err(|e| {
        Error::new(Kind::InvalidArgument, format!("JSON is not UTF-8 at byte {}", e.valid_up_to()))
    })?;
    if memchr::memmem::find(json, b"\\u").is_none() && memchr::memmem::find(json, ESC_UTF8).is_none() {
        return Ok(Cow::Borrowed(s));
    }
    let mut out = String::with_capacity(s.len() + 16);
    let mut rest = s;
    // Backslashes and ESC occur in valid JSON only inside strings; anything else is left for the parser to refuse.
    while let Some(at) = rest.find(['\\', '\u{241B}']) {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        if !tail.starts_with('\\') {
            text::push_escape(&mut out, 0x241B);
            rest = &tail[ESC_UTF8.len()..];
        } else if let Some(unit) = unit_escape(tail) {
            let low = (0xD800..0xDC00)
                .contains(&unit)
                .then(|| unit_escape(&tail[6..]))
                .flatten()
                .filter(|l| (0xDC00..0xE000).contains(l));
            let take = if low.is_some() { 12 } else { 6 };
            if low.is_none() && (unit == 0 || unit == 0x241B || (0xD800..0xE000).contains(&unit)) {
                text::push_escape(&mut out, unit);
            } else {
                out.push_str(&tail[..take]);
            }
            rest = &tail[take..];
        } else {
            let take = tail.chars().take(2).map(char::len_utf8).sum();
            out.push_str(&tail[..take]);
            rest = &tail[take..];
        }
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// The unit of a `\uXXXX` at the start of `s`.
fn unit_escape(s: &str) -> Option<u16> {
    let digits = s.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Stored form to standard JSON. In JSON the escape can stand only inside a string, so text-level replacement
/// is exact.
pub(crate) fn to_json(stored: &str) -> Cow<'_, str> {
    if memchr::memmem::find(stored.as_bytes(), ESC_UTF8).is_none() {
        return Cow::Borrowed(stored);
    }
    let mut out = String::with_capacity(stored.len() + 8);
    let mut rest = stored;
    while let Some(at) = rest.find('\u{241B}') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        match text::escape_at_start(tail) {
            Some(0x241B) => out.push('\u{241B}'),
            Some(unit) => out.push_str(&format!("\\u{unit:04x}")),
            None => {
                out.push('\u{241B}');
                rest = &tail[ESC_UTF8.len()..];
                continue;
            }
        }
        rest = &tail[ESC_UTF8.len() + 4..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Appends a text in its stored form as a JSON string in its stored form.
pub(crate) fn quote(out: &mut String, s: &str) {
    out.push_str(&Value::from(s).to_string());
}

impl From<Value> for Json {
    /// The value's strings are taken to be in the stored form, as [`parse`] gives them.
    fn from(value: Value) -> Self {
        Json(value.to_string())
    }
}

impl Default for Json {
    fn default() -> Self {
        Json("{}".to_owned())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || matches!((self.value(), other.value()), (Ok(a), Ok(b)) if a == b)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_from_between_the_parts_only() {
        for (given, wanted) in [
            (
                r#"{"a b": [1, 2, {"c": " \" , \\"}], "d":  true }"#,
                r#"{"a b":[1,2,{"c":" \" , \\"}],"d":true}"#,
            ),
            ("[ ]", "[]"),
            (r#"" x ""#, r#"" x ""#),
            ("-1.50", "-1.50"),
        ] {
            assert_eq!(without_blanks(given), wanted);
        }
    }

    #[test]
    fn lone_surrogates_and_nul_survive() {
        for (json, stored) in [
            (r#"{"a":"\ud83d"}"#, r#"{"a":"␛D83D"}"#),
            (r#"["x\u0000y","\udc00\ud83d\ude00"]"#, r#"["x␛0000y","␛DC00\ud83d\ude00"]"#),
            (r#""␛D83D \\ud83d""#, r#""␛241BD83D \\ud83d""#),
            (r#""\ud83d\u0041""#, r#""␛D83D\u0041""#),
        ] {
            let j = Json::parse(json).unwrap();
            assert_eq!(j.as_stored(), stored);
            assert_eq!(j.to_json(), json);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for bad in ["", "{", "\"\\ud83", "nul", "{}x", "\"\\"] {
            assert_eq!(Json::parse(bad).unwrap_err().kind(), Kind::InvalidArgument, "{bad}");
        }
        assert!(Json::parse([0x22, 0xff, 0x22]).is_err());
    }

    #[test]
    fn equality_is_by_value_and_digits_are_kept() {
        assert_eq!(Json::parse("{\"a\":1, \"b\":2}").unwrap(), Json::parse("{\"b\":2,\"a\":1}").unwrap());
        assert_eq!(Json::parse("18446744073709551617").unwrap().to_json(), "18446744073709551617");
    }
}
