//! A JSON text of any length, value by value: only the value at hand is in memory.

use std::io::Read;

use sha2::{Digest, Sha256};

use super::MAX_ROW_BYTES;
use crate::error::{Error, Kind, Result};

/// Bytes that are asked for at once.
const CHUNK: usize = 128 << 10;

/// Finds the values of a text that is read bit by bit. What it finds is JSON at least in its brackets and
/// quotes; whoever uses a value checks the rest.
pub(crate) struct Scanner<'r> {
    from: Box<dyn Read + 'r>,
    /// What was read and not yet dropped; everything before `at` is used up.
    buffer: Vec<u8>,
    at: usize,
    /// Bytes that were dropped.
    dropped: u64,
    ended: bool,
    /// The checksum of what is used up from `hashed` on.
    hash: Option<Sha256>,
    hashed: usize,
}

impl<'r> Scanner<'r> {
    pub(crate) fn new(from: Box<dyn Read + 'r>) -> Self {
        Scanner { from, buffer: Vec::new(), at: 0, dropped: 0, ended: false, hash: None, hashed: 0 }
    }

    /// The next byte that is no white space, left where it is. `None`: the text has ended.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(step) = rest.iter().position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r')) {
                self.at += step;
                return Ok(Some(self.buffer[self.at]));
            }
            self.at = self.buffer.len();
            if !self.read_on()? {
                return Ok(None);
            }
        }
    }

    /// Steps over `byte` if it is next.
    pub(crate) fn accept(&mut self, byte: u8) -> Result<bool> {
        match self.peek()? {
            Some(next) if next == byte => {
                self.at += 1;
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(self.cut_off()),
        }
    }

    /// Steps over `byte`, which must be next.
    pub(crate) fn expect(&mut self, byte: u8) -> Result<()> {
        if self.accept(byte)? {
            return Ok(());
        }
        Err(self.wrong(format!("here should be {:?}", char::from(byte))))
    }

    /// The next value, whole.
    pub(crate) fn value(&mut self) -> Result<&[u8]> {
        self.peek()?;
        let mut extent = Extent::default();
        let len = loop {
            if let Some(len) = extent.find(&self.buffer[self.at..]) {
                break len;
            }
            if self.buffer.len() - self.at > MAX_ROW_BYTES {
                return Err(self.wrong(format!("a row has more than {MAX_ROW_BYTES} bytes")));
            }
            if !self.read_on()? {
                return Err(self.cut_off());
            }
        };
        if len == 0 {
            return Err(self.wrong("here should be a value"));
        }
        let start = self.at;
        self.at += len;
        Ok(&self.buffer[start..self.at])
    }

    /// Starts a checksum with the next byte.
    pub(crate) fn start_hash(&mut self) -> Result<()> {
        self.peek()?;
        self.hash = Some(Sha256::new());
        self.hashed = self.at;
        Ok(())
    }

    /// The checksum of what was used up since [`Self::start_hash`].
    pub(crate) fn take_hash(&mut self) -> String {
        self.hash_used();
        hex(self.hash.take().unwrap_or_default())
    }

    fn hash_used(&mut self) {
        if let Some(hash) = &mut self.hash {
            hash.update(&self.buffer[self.hashed..self.at]);
        }
        self.hashed = self.at;
    }

    /// Reads more behind what is not used up yet. False: there is no more.
    fn read_on(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.hash_used();
        self.buffer.drain(..self.at);
        self.dropped += self.at as u64;
        (self.at, self.hashed) = (0, 0);
        let wanted = CHUNK.max(self.buffer.len()) as u64;
        let read = self.from.by_ref().take(wanted).read_to_end(&mut self.buffer).map_err(damaged)?;
        self.ended = read == 0;
        Ok(!self.ended)
    }

    /// An `InvalidData` error at this place.
    pub(crate) fn wrong(&self, what: impl Into<String>) -> Error {
        Error::new(Kind::InvalidData, what).with("byte", self.dropped + self.at as u64)
    }

    /// An `InvalidData` error for a text that ends too early.
    pub(crate) fn cut_off(&self) -> Error {
        let bytes = self.dropped + self.buffer.len() as u64;
        Error::new(Kind::InvalidData, "the document is cut off: it ends in the middle").with("byte", bytes)
    }
}

/// An error of the compression is one of the document; others are the reader's own.
fn damaged(e: std::io::Error) -> Error {
    if e.kind() == std::io::ErrorKind::InvalidData {
        return Error::new(Kind::InvalidData, "the compressed document is damaged or cut off").caused_by(e);
    }
    e.into()
}

/// A checksum as text.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Finds the end of a value whose text comes bit by bit; remembers how far it has looked.
#[derive(Default)]
struct Extent {
    looked: usize,
    depth: usize,
    in_string: bool,
}

impl Extent {
    /// The length of the value at the start of `text`; `None`: it goes on behind it.
    fn find(&mut self, text: &[u8]) -> Option<usize> {
        while self.looked < text.len() {
            if self.in_string {
                let step = memchr::memchr2(b'"', b'\\', &text[self.looked..]);
                self.looked += step.unwrap_or(text.len() - self.looked);
                match text.get(self.looked)? {
                    b'"' => {
                        self.in_string = false;
                        self.looked += 1;
                        if self.depth == 0 {
                            return Some(self.looked);
                        }
                    }
                    // The character behind a backslash is skipped; it may not be here yet.
                    _ if self.looked + 1 < text.len() => self.looked += 2,
                    _ => return None,
                }
                continue;
            }
            match text[self.looked] {
                b'"' if self.depth == 0 && self.looked > 0 => return Some(self.looked),
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth == 0 => return Some(self.looked),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(self.looked + 1);
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if self.depth == 0 => return Some(self.looked),
                _ => {}
            }
            self.looked += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.len().min(into.len()).min(1);
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    const TEXT: &str = r#" [ {"a":"}\"]\\","b":[{}]} ,"x\\\"y" , 12.5,true,[] ]"#;
    const VALUES: [&str; 5] = [r#"{"a":"}\"]\\","b":[{}]}"#, r#""x\\\"y""#, "12.5", "true", "[]"];

    #[test]
    fn values_are_found_however_they_come() {
        for slow in [false, true] {
            let from: Box<dyn Read> =
                if slow { Box::new(Slow(TEXT.as_bytes())) } else { Box::new(TEXT.as_bytes()) };
            let mut scanner = Scanner::new(from);
            scanner.expect(b'[').unwrap();
            for (i, value) in VALUES.iter().enumerate() {
                assert!(i == 0 || scanner.accept(b',').unwrap());
                assert_eq!(std::str::from_utf8(scanner.value().unwrap()).unwrap(), *value);
            }
            scanner.expect(b']').unwrap();
            assert_eq!(scanner.peek().unwrap(), None);
        }
    }

    #[test]
    fn a_value_is_found_at_every_break_of_the_text() {
        for value in VALUES {
            let text = format!("{value},");
            for cut in 0..value.len() {
                let mut extent = Extent::default();
                let early = extent.find(&text.as_bytes()[..cut]);
                assert_eq!(early, None, "{value} cut at {cut}");
                assert_eq!(extent.find(text.as_bytes()), Some(value.len()), "{value} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_text_that_ends_early_says_so() {
        for text in ["", "{", "{\"a", "[1,", "\"\\"] {
            let e = Scanner::new(Box::new(text.as_bytes())).value().unwrap_err();
            assert_eq!((e.kind(), e.context("byte")), (Kind::InvalidData, Some(&*text.len().to_string())));
        }
    }
}
