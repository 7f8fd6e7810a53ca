//! Plain or compressed: told apart by the first bytes.

use std::io::{self, Read};

use crate::error::{Error, Kind, Result};

/// Level of the compression: as fast as the rest of an export.
pub(super) const LEVEL: i32 = 3;

const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// The plain text of what may be compressed with zstd.
pub(super) fn open<'r>(mut from: &'r mut dyn Read) -> Result<Box<dyn Read + 'r>> {
    let mut first = Vec::with_capacity(ZSTD.len());
    Read::by_ref(&mut from).take(ZSTD.len() as u64).read_to_end(&mut first)?;
    let (zstd, gzip) = (first.starts_with(&ZSTD), first.starts_with(&GZIP));
    let whole = io::Cursor::new(first).chain(from);
    if gzip {
        let text = "this is compressed with gzip, which cannot be read here; unpack it first (gzip -d)";
        return Err(Error::new(Kind::Unsupported, text));
    }
    Ok(if zstd { Box::new(Unpacked(zstd::Decoder::new(whole)?)) } else { Box::new(whole) })
}

/// A decoder whose own errors are told apart from those of what it reads: they have no code of the system.
struct Unpacked<R>(R);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|e| match e.raw_os_error() {
            Some(_) => e,
            None => io::Error::new(io::ErrorKind::InvalidData, e),
        })
    }
}
