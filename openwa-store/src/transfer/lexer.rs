//! The tokens of a JSON text in memory.

use std::borrow::Cow;
use std::ops::Range;

/// The text is not JSON from this byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) usize);

/// Walks over one JSON text.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// A string as it stands in the text, quotes included.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'a> {
    text: &'a str,
    at: usize,
    escaped: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Lexer { text, at: 0 }
    }

    /// What this place is called in an error.
    pub(super) fn malformed(&self) -> Malformed {
        Malformed(self.at)
    }

    /// The next byte that is no white space, left where it is.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over `byte` if it is next.
    pub(super) fn accept(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    /// Steps over `byte`, which must be next.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.accept(byte) { Ok(()) } else { Err(self.malformed()) }
    }

    /// Makes sure that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_none() { Ok(()) } else { Err(self.malformed()) }
    }

    pub(super) fn string(&mut self) -> Result<Quoted<'a>, Malformed> {
        self.expect(b'"')?;
        let start = self.at - 1;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            let rest = &bytes[self.at..];
            let Some(step) = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)) else {
                return Err(Malformed(bytes.len()));
            };
            self.at += step;
            match bytes[self.at] {
                b'"' => break,
                // The escaped character may be a quote. Whether it may be escaped at all is asked by `decode`.
                b'\\' if self.at + 1 < bytes.len() => self.at += 2,
                _ => return Err(self.malformed()),
            }
            escaped = true;
        }
        self.at += 1;
        Ok(Quoted { text: &self.text[start..self.at], at: start, escaped })
    }

    /// A number, `true`, `false` or `null`: everything up to the next delimiter. What a number looks like is
    /// checked.
    pub(super) fn scalar(&mut self) -> Result<&'a str, Malformed> {
        self.peek();
        let rest = &self.text[self.at..];
        let len =
            rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).count();
        let word = &rest[..len];
        if !matches!(word, "true" | "false" | "null") && !is_number(word.as_bytes()) {
            return Err(self.malformed());
        }
        self.at += len;
        Ok(word)
    }
}

impl<'a> Quoted<'a> {
    /// The string as it stands in the text, with its quotes.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The string itself, if no escape stands in it.
    pub(super) fn plain(&self) -> Option<&'a str> {
        (!self.escaped).then(|| &self.text[1..self.text.len() - 1])
    }

    /// Where the string itself stands in the text that was walked over, if no escape stands in it.
    pub(super) fn plain_range(&self) -> Option<Range<usize>> {
        (!self.escaped).then(|| self.at + 1..self.at + self.text.len() - 1)
    }

    /// The string itself.
    pub(super) fn decode(&self) -> Result<Cow<'a, str>, Malformed> {
        match self.plain() {
            Some(plain) => Ok(Cow::Borrowed(plain)),
            None => serde_json::from_str(self.text).map(Cow::Owned).map_err(|_| Malformed(self.at)),
        }
    }
}

/// `-? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?`
fn is_number(text: &[u8]) -> bool {
    let digits = |s: &[u8]| s.iter().take_while(|b| b.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let len = digits(fraction);
        if len == 0 {
            return false;
        }
        rest = &fraction[len..];
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let exponent =
            exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_json_says() {
        for good in ["0", "-0", "10", "1.5", "0.10", "1e5", "1E+5", "-1.25e-300", "18446744073709551617"] {
            assert_eq!(Lexer::new(good).scalar(), Ok(good));
        }
        for bad in ["", "-", "01", "+1", "1.", ".5", "1e", "1e+", "nul", "True", "1x", "1-2", "NaN", "0x10"] {
            assert!(Lexer::new(bad).scalar().is_err(), "{bad}");
        }
    }

    #[test]
    fn strings_end_where_they_end() {
        for (text, decoded) in [(r#""a""#, "a"), (r#" "\"\\" x"#, "\"\\"), (r#""😀é""#, "😀é"), (r#""""#, "")]
        {
            assert_eq!(Lexer::new(text).string().and_then(|s| s.decode()).unwrap(), decoded);
        }
        for bad in [r#""a"#, r#""\"#, r#""\""#, "\"a\nb\"", "\"\u{1}\"", r#""\x""#, r#""\ud800""#, "a"] {
            assert!(Lexer::new(bad).string().and_then(|s| s.decode()).is_err(), "{bad}");
        }
    }
}
