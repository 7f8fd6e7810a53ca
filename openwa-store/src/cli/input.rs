//! What a command reads: files, of which `-` is standard input.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::{Failure, Result};
use crate::Error;
use crate::temporary::Temporary;

/// Whether a path means standard input, or standard output.
pub fn is_standard(path: impl AsRef<Path>) -> bool {
    path.as_ref() == Path::new("-")
}

/// Standard input, which can be read once.
pub fn standard() -> Result<std::io::StdinLock<'static>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(Failure::usage("- is given twice, and standard input can be read once", "name a file"));
    }
    Ok(std::io::stdin().lock())
}

/// Opens a file that the user named; its name is in the error.
pub fn open(path: &Path) -> Result<Box<dyn Read>> {
    if is_standard(path) {
        return Ok(Box::new(standard()?));
    }
    Ok(Box::new(open_file(path)?))
}

pub fn open_file(path: &Path) -> Result<std::fs::File> {
    std::fs::File::open(path).map_err(|e| unreadable(path, e))
}

/// All of a file that the user named.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(|e| unreadable(path, e))?;
    Ok(bytes)
}

pub fn text(path: &Path) -> Result<String> {
    let text = String::from_utf8(read(path)?);
    text.map_err(|e| unreadable(path, std::io::Error::new(std::io::ErrorKind::InvalidData, e.utf8_error())))
}

fn unreadable(path: &Path, e: std::io::Error) -> Failure {
    Error::from(e).with("path", path.display()).into()
}

/// Standard input as a file that only its owner may read, for what has to be read more than once.
pub fn standard_as_file() -> Result<Temporary> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|e| Error::new(crate::Kind::Internal, format!("no random numbers: {e}")))?;
    let path = std::env::temp_dir().join(format!(".openwa-input-{:016x}.tmp", u64::from_le_bytes(random)));
    let mut how = std::fs::File::options();
    how.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
    let made = Temporary::make(path.clone(), |path| how.open(path));
    let (temporary, mut file) = made.map_err(|e| unreadable(&path, e))?;
    std::io::copy(&mut standard()?, &mut file).map_err(|e| unreadable(&path, e))?;
    Ok(temporary)
}
