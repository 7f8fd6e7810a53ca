//! How a sealed value, and one in clear, stand in a column.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::key::{KeyId, SealKey};
use crate::error::Result;
use crate::value::ColumnKind;

/// What every value begins with that is not just what it says.
pub(super) const MARK: &str = "openwa-sealed:";
/// Behind the mark: a value in clear that begins like one.
const CLEAR: &str = "openwa-sealed:0:";
/// Behind the mark: a sealed value.
const SEALED: &str = "openwa-sealed:1:";

/// What a stored value is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// This, in clear.
    Clear(Cow<'a, [u8]>),
    /// Sealed with a key.
    Sealed { key: KeyId, body: Cow<'a, [u8]> },
    /// Marked, and neither.
    Broken,
}

/// Reads the stored bytes of a column. Of a JSON column they are the document.
pub(super) fn read(kind: ColumnKind, stored: &[u8]) -> Form<'_> {
    match kind {
        ColumnKind::Bytes => read_bytes(stored),
        ColumnKind::Json => read_json(stored),
        _ => read_text(stored),
    }
}

fn read_bytes(stored: &[u8]) -> Form<'_> {
    if !stored.starts_with(MARK.as_bytes()) {
        return Form::Clear(stored.into());
    }
    if let Some(clear) = stored.strip_prefix(CLEAR.as_bytes()) {
        return Form::Clear(clear.into());
    }
    let sealed = stored.strip_prefix(SEALED.as_bytes()).and_then(|rest| rest.split_first_chunk());
    sealed.map_or(Form::Broken, |(key, body)| Form::Sealed { key: KeyId(*key), body: body.into() })
}

fn read_text(stored: &[u8]) -> Form<'_> {
    if !stored.starts_with(MARK.as_bytes()) {
        return Form::Clear(stored.into());
    }
    if let Some(clear) = stored.strip_prefix(CLEAR.as_bytes()) {
        return Form::Clear(clear.into());
    }
    let sealed = || {
        let rest = std::str::from_utf8(stored.strip_prefix(SEALED.as_bytes())?).ok()?;
        let (key, body) = rest.split_once(':')?;
        Some(Form::Sealed { key: KeyId::parse(key)?, body: BASE64.decode(body).ok()?.into() })
    };
    sealed().unwrap_or(Form::Broken)
}

fn read_json(stored: &[u8]) -> Form<'_> {
    let Some(inner) = stored.strip_prefix(b"\"").filter(|inner| inner.starts_with(MARK.as_bytes())) else {
        return Form::Clear(stored.into());
    };
    if let Some(clear) = inner.strip_prefix(CLEAR.as_bytes()) {
        return Form::Clear([b"\"", clear].concat().into());
    }
    match inner.strip_suffix(b"\"").map_or(Form::Broken, read_text) {
        Form::Clear(_) => Form::Broken,
        form => form,
    }
}

/// The stored form of a value in clear; `None`: it stays as it is.
pub(super) fn clear(kind: ColumnKind, value: &[u8]) -> Option<Vec<u8>> {
    match kind {
        ColumnKind::Json => {
            // An escape in the document may be gone when PostgreSQL gives it back.
            let looks_sealed = value.starts_with(b"\"")
                && serde_json::from_slice::<String>(value).is_ok_and(|text| text.starts_with(MARK));
            looks_sealed.then(|| [b"\"", CLEAR.as_bytes(), value.get(1..).unwrap_or_default()].concat())
        }
        _ => value.starts_with(MARK.as_bytes()).then(|| [CLEAR.as_bytes(), value].concat()),
    }
}

/// The stored form of a value, sealed.
pub(super) fn sealed(kind: ColumnKind, key: &SealKey, place: &[u8], value: &[u8]) -> Result<Vec<u8>> {
    let body = key.seal(place, value)?;
    let text = |body: &[u8]| format!("{SEALED}{}:{}", key.id(), BASE64.encode(body));
    Ok(match kind {
        ColumnKind::Bytes => [SEALED.as_bytes(), &key.id().0, &body].concat(),
        ColumnKind::Json => format!("\"{}\"", text(&body)).into_bytes(),
        _ => text(&body).into_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::StoreKey;
    use super::*;

    const KINDS: [ColumnKind; 3] = [ColumnKind::Bytes, ColumnKind::Text, ColumnKind::Json];

    #[test]
    fn a_value_in_clear_is_never_taken_for_a_sealed_one() {
        let key = SealKey::of(&StoreKey::from_bytes([7; 32]));
        for kind in KINDS {
            let mut value = if kind == ColumnKind::Json { b"\"x\"".to_vec() } else { b"x".to_vec() };
            // What was sealed or kept in clear is a value like any other, again and again.
            for round in 0..6 {
                let stored = clear(kind, &value).unwrap_or_else(|| value.clone());
                assert_eq!(read(kind, &stored), Form::Clear(value.as_slice().into()), "{kind:?} {round}");
                value = if round % 2 == 0 { sealed(kind, &key, b"place", &value).unwrap() } else { stored };
            }
        }
        let escaped: &[u8] = br#""\u006fpenwa-sealed:1:""#;
        let stored = clear(ColumnKind::Json, escaped).unwrap();
        assert_eq!(read(ColumnKind::Json, &stored), Form::Clear(escaped.into()));
    }

    #[test]
    fn a_sealed_value_names_its_key_and_a_damaged_one_is_broken() {
        let key = SealKey::of(&StoreKey::from_bytes([7; 32]));
        for kind in KINDS {
            let stored = sealed(kind, &key, b"place", b"value").unwrap();
            let Form::Sealed { key: id, body } = read(kind, &stored) else { panic!("{kind:?}") };
            assert_eq!((id, key.open(b"place", &body).as_deref()), (key.id(), Some(&b"value"[..])));
            for bad in ["openwa-sealed:", "openwa-sealed:1:", "openwa-sealed:2:x"] {
                let bad = if kind == ColumnKind::Json { format!("\"{bad}\"") } else { bad.to_owned() };
                assert_eq!(read(kind, bad.as_bytes()), Form::Broken, "{kind:?} {bad}");
            }
        }
    }
}
