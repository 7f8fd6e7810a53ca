//! Opening a log, packed or not.

use std::io::{BufRead, BufReader, Cursor, Read, Result};

use flate2::bufread::MultiGzDecoder;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BUFFER: usize = 256 * 1024;

/// A reader of the text behind `source`, which may be packed by gzip or Zstandard. Its first bytes tell, not its
/// name, so a pipe will do.
///
/// # Errors
/// Those of reading the first bytes.
pub fn unpacked<'a>(mut source: impl Read + 'a) -> Result<Box<dyn BufRead + 'a>> {
    let mut head = Vec::with_capacity(ZSTD.len());
    source.by_ref().take(ZSTD.len() as u64).read_to_end(&mut head)?;
    let (gzip, zstd) = (head.starts_with(GZIP), head == ZSTD);
    let whole = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(source));
    Ok(if gzip {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(whole)))
    } else if zstd {
        Box::new(BufReader::with_capacity(BUFFER, zstd::Decoder::with_buffer(whole)?))
    } else {
        Box::new(whole)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Gives one byte at a time, as a slow pipe may.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
            let n = self.0.len().min(buf.len()).min(1);
            self.0.read(&mut buf[..n])
        }
    }

    fn text(packed: &[u8]) -> String {
        let mut out = String::new();
        unpacked(Drip(packed)).unwrap().read_to_string(&mut out).unwrap();
        out
    }

    #[test]
    fn the_first_bytes_tell_how_it_is_packed() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"one\ntwo\n").unwrap();
        let gz = gz.finish().unwrap();
        assert_eq!(text(&gz), "one\ntwo\n");
        assert_eq!(text(&[gz.clone(), gz].concat()), "one\ntwo\none\ntwo\n", "members joined by `cat`");
        assert_eq!(text(&zstd::encode_all(&b"one\ntwo\n"[..], 1).unwrap()), "one\ntwo\n");
        assert_eq!(text(b"one\ntwo\n"), "one\ntwo\n");
        assert_eq!(text(b"a"), "a");
        assert_eq!(text(b""), "");
    }
}
