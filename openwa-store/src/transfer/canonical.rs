//! The one form in which a JSON document is exported.
//!
//! SQLite keeps a document as the text it came as; PostgreSQL's `jsonb` keeps its value only. For an export to
//! be the same from both, every document is written in one form that depends on its value alone:
//!
//! - no white space; object keys in the order of their bytes; of a repeated key the last one, as `jsonb` has it;
//! - strings with the fewest escapes;
//! - numbers with all their digits and their scale (`1.10` stays), as PostgreSQL's `numeric` prints them: no
//!   exponent (`1e2` is `100`), no sign on zero. Only when that would take more than 400 digits, most of them
//!   zeros, the digits with an exponent: `1e1000`.
//!
//! The form of a form is the same form, so a document that was imported is exported again byte for byte. It is
//! made from and to the stored form of [`crate::json`], in one pass, whatever the depth.

use super::lexer::{Lexer, Malformed, Quoted};

/// Writes documents in the canonical form; keeps its working space from one to the next.
#[derive(Default)]
pub(super) struct Canonical {
    open: Vec<Container>,
    members: Vec<Member>,
    sorted: Vec<u8>,
}

/// An object or array whose end has not come.
struct Container {
    object: bool,
    /// Where its content starts in the output.
    start: usize,
    /// Where its members start in the list of members.
    members: usize,
}

/// A member of an object, by places in the output: `"key":value`.
struct Member {
    start: usize,
    key_end: usize,
    end: usize,
}

impl Canonical {
    /// Appends the canonical form of a whole text.
    pub(super) fn text(&mut self, stored: &str, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut from = Lexer::new(stored);
        self.value(&mut from, out)?;
        from.end()
    }

    /// Appends the canonical form of the next value.
    pub(super) fn value(&mut self, from: &mut Lexer<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.open.clear();
        self.members.clear();
        loop {
            match from.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    from.expect(bracket)?;
                    out.push(bracket);
                    let object = bracket == b'{';
                    self.open.push(Container { object, start: out.len(), members: self.members.len() });
                    if !from.accept(if object { b'}' } else { b']' }) {
                        if object {
                            self.key(from, out)?;
                        }
                        continue;
                    }
                    self.close(out);
                }
                Some(b'"') => string(from.string()?, out)?,
                _ => match from.scalar()? {
                    word @ ("true" | "false" | "null") => out.extend_from_slice(word.as_bytes()),
                    digits => number(digits, out),
                },
            }
            // A value has ended, and with it perhaps what it stands in.
            loop {
                let Some(around) = self.open.last() else { return Ok(()) };
                let object = around.object;
                if from.accept(b',') {
                    out.push(b',');
                    if object {
                        self.key(from, out)?;
                    }
                    break;
                }
                from.expect(if object { b'}' } else { b']' })?;
                self.close(out);
            }
        }
    }

    fn key(&mut self, from: &mut Lexer<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let start = out.len();
        string(from.string()?, out)?;
        self.members.push(Member { start, key_end: out.len() - 1, end: 0 });
        from.expect(b':')?;
        out.push(b':');
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(container) = self.open.pop() else { return };
        if container.object {
            self.sort(&container, out);
            self.members.truncate(container.members);
        }
        out.push(if container.object { b'}' } else { b']' });
    }

    /// Brings the members of an object in order. Most come in order, and then nothing moves.
    fn sort(&mut self, container: &Container, out: &mut Vec<u8>) {
        let members = &mut self.members[container.members..];
        let key = |m: &Member| &out[m.start + 1..m.key_end];
        if members.is_sorted_by(|a, b| key(a) < key(b)) {
            return;
        }
        let mut end = out.len();
        for member in members.iter_mut().rev() {
            member.end = end;
            end = member.start - 1; // the comma
        }
        members.sort_by(|a, b| key(a).cmp(key(b)));
        self.sorted.clear();
        for (i, member) in members.iter().enumerate() {
            if members.get(i + 1).is_some_and(|next| key(next) == key(member)) {
                continue;
            }
            if !self.sorted.is_empty() {
                self.sorted.push(b',');
            }
            self.sorted.extend_from_slice(&out[member.start..member.end]);
        }
        out.truncate(container.start);
        out.extend_from_slice(&self.sorted);
    }
}

/// Appends a string as JSON with the fewest escapes.
pub(super) fn push_string(s: &str, out: &mut Vec<u8>) {
    // Writing to a `Vec` cannot fail.
    let _ = serde_json::to_writer(out, s);
}

fn string(from: Quoted<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    match from.plain() {
        Some(_) => out.extend_from_slice(from.text().as_bytes()),
        None => push_string(&from.decode()?, out),
    }
    Ok(())
}

/// Digits that are written out before an exponent is used; more than any 64-bit float needs.
const WRITTEN_OUT: usize = 400;

/// Appends a number. It is `digits × 10^-scale`; `numeric` keeps both, but no scale below 0.
fn number(text: &str, out: &mut Vec<u8>) {
    let plain = text.len() <= WRITTEN_OUT && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let scale = exponent.parse().ok().and_then(|e: i64| i64::try_from(fraction.len()).ok()?.checked_sub(e));
    let Some(scale) = scale else {
        // An exponent beyond 64 bits is no engine's number.
        out.extend_from_slice(text.as_bytes());
        return;
    };
    let digits = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    if negative && !digits.is_empty() {
        out.push(b'-');
    }
    if scale <= 0 {
        whole_number(digits, scale.unsigned_abs(), out);
    } else {
        decimal_fraction(digits, scale.unsigned_abs(), out);
    }
}

/// `digits` and as many zeros.
fn whole_number(digits: &str, zeros: u64, out: &mut Vec<u8>) {
    if digits.is_empty() {
        out.push(b'0');
        return;
    }
    let significant = digits.trim_end_matches('0');
    let zeros = zeros.saturating_add((digits.len() - significant.len()) as u64);
    out.extend_from_slice(significant.as_bytes());
    match usize::try_from(zeros) {
        Ok(0) => {}
        Ok(n) if significant.len().saturating_add(n) <= WRITTEN_OUT => out.resize(out.len() + n, b'0'),
        _ => out.extend_from_slice(format!("e{zeros}").as_bytes()),
    }
}

/// `digits` with the point before the last `scale` of them.
fn decimal_fraction(digits: &str, scale: u64, out: &mut Vec<u8>) {
    match usize::try_from(scale) {
        Ok(scale) if digits.len().max(scale) <= WRITTEN_OUT => {
            let padded = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            out.extend_from_slice(format!("{whole}.{fraction}").as_bytes());
        }
        _ => {
            let digits = if digits.is_empty() { "0" } else { digits };
            out.extend_from_slice(format!("{digits}e-{scale}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String, Malformed> {
        let mut out = Vec::new();
        Canonical::default().text(text, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn one_form_for_one_value() {
        for (text, form) in [
            (r#" { "b" : [ 1 , 2 ] , "a" : null } "#, r#"{"a":null,"b":[1,2]}"#),
            (r#"{"a":1,"b":2,"a":{"d":1,"c":2}}"#, r#"{"a":{"c":2,"d":1},"b":2}"#),
            (
                r#"{"b":{"z":1,"y":{"k":2,"j":[{"b":1,"a":2}]}},"a":[]}"#,
                r#"{"a":[],"b":{"y":{"j":[{"a":2,"b":1}],"k":2},"z":1}}"#,
            ),
            (r#"{"ab":1,"a":2,"a!":3,"":4}"#, r#"{"":4,"a":2,"a!":3,"ab":1}"#),
            (r#"{"\u0061":1,"a":2}"#, r#"{"a":2}"#),
            (r#""\u0041\/\u00e9\ud83d\ude00\u001f\n\"""#, r#""A/é😀\u001f\n\"""#),
            ("[]", "[]"),
            ("[true,false,null,\"\"]", "[true,false,null,\"\"]"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(form), "{text}");
            assert_eq!(canonical(form).as_deref(), Ok(form), "{text}");
        }
    }

    /// The right column is what `select '…'::jsonb` of PostgreSQL 15 prints.
    #[test]
    fn numbers_as_postgresql_prints_them() {
        for (text, form) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.00", "0.00"),
            ("0e5", "0"),
            ("0e-3", "0.000"),
            ("1e2", "100"),
            ("-1.5E+3", "-1500"),
            ("1.50e1", "15.0"),
            ("1.10", "1.10"),
            ("-12.5", "-12.5"),
            ("125e-1", "12.5"),
            ("1.5e-3", "0.0015"),
            ("0.10e1", "1.0"),
            ("18446744073709551617", "18446744073709551617"),
            ("3.141592653589793238462643383279", "3.141592653589793238462643383279"),
            ("1.7976931348623157e308", &format!("17976931348623157{}", "0".repeat(292))),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(form), "{text}");
            assert_eq!(canonical(form).as_deref(), Ok(form), "{text}");
        }
    }

    #[test]
    fn long_numbers_have_one_form_and_stay_short() {
        for (text, form) in [
            ("1e1000".to_owned(), "1e1000"),
            (format!("1{}", "0".repeat(1000)), "1e1000"),
            (format!("-12.5{}e999", "0".repeat(20)), "-125e998"),
            ("1.50e-1000".to_owned(), "150e-1002"),
            (format!("0.{}150", "0".repeat(999)), "150e-1002"),
            ("0e-1000".to_owned(), "0e-1000"),
            ("0e1000".to_owned(), "0"),
            ("1e99999999999999999999".to_owned(), "1e99999999999999999999"),
        ] {
            assert_eq!(canonical(&text).as_deref(), Ok(form), "{text}");
            assert_eq!(canonical(form).as_deref(), Ok(form), "{text}");
        }
        let digits = "7".repeat(5000);
        assert_eq!(canonical(&digits), Ok(digits));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(canonical(&deep), Ok(deep));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "[1 2]",
            "1 2",
            "]",
            "{\"a\":1,}",
            "[}",
            "\"\\x\"",
            "01",
        ] {
            assert!(canonical(bad).is_err(), "{bad}");
        }
    }
}
