//! Reading fields of foreign JSON: what is missing or has another shape is simply not there.
//!
//! One value comes in several clothes, depending on how the host made its JSON (in-memory objects, protobuf's
//! `toJSON`, `MessageToDict`); each reader here takes all of them. `value["key"]` of `serde_json` gives null for
//! whatever is not there, so chains of it are safe on any input.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::policy::address;
use crate::text::Text;
use crate::time::Timestamp;

/// A string, the empty one included.
pub(super) fn text(v: &Value) -> Option<Text> {
    v.as_str().map(Text::from_stored)
}

/// A string that says something.
pub(super) fn filled(v: &Value) -> Option<&str> {
    v.as_str().filter(|s| !s.is_empty())
}

/// [`filled`] as text.
pub(super) fn filled_text(v: &Value) -> Option<Text> {
    filled(v).map(Text::from_stored)
}

/// The first of several fields that is there.
pub(super) fn either<'a>(v: &'a Value, keys: &[&str]) -> &'a Value {
    keys.iter().map(|k| &v[*k]).find(|f| !f.is_null()).unwrap_or(&Value::Null)
}

/// Bytes in base64.
pub(super) fn bytes(v: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(filled(v)?).ok()
}

/// True only for `true`.
pub(super) fn flag(v: &Value) -> bool {
    v.as_bool().unwrap_or(false)
}

/// The items of an array; nothing for anything else.
pub(super) fn list(v: &Value) -> &[Value] {
    v.as_array().map_or(&[], Vec::as_slice)
}

/// The items of an array, or a lone object as the only item.
pub(super) fn one_or_many(v: &Value) -> &[Value] {
    if v.is_object() { std::slice::from_ref(v) } else { list(v) }
}

/// A whole number: as such, as a decimal string, or as a Long object `{low, high, unsigned}`.
pub(super) fn integer(v: &Value) -> Option<i64> {
    match v {
        Value::Number(n) => n.as_i64().or_else(|| n.as_f64().and_then(whole)),
        Value::String(s) => s.parse().ok(),
        Value::Object(_) => long(v),
        _ => None,
    }
}

/// The whole part of a float, where floats are still exact.
fn whole(f: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (f.abs() <= EXACT).then_some(f as i64)
}

/// JavaScript has no 64-bit integers; protobuf.js gives two halves of 32 bits, both written as signed.
fn long(v: &Value) -> Option<i64> {
    let low = v["low"].as_i64()? as u32;
    let high = v["high"].as_i64()? as u32;
    let bits = (u64::from(high) << 32) | u64::from(low);
    if flag(&v["unsigned"]) { i64::try_from(bits).ok() } else { Some(bits as i64) }
}

/// A value of a protobuf enum, by number or by name; `names` start at 0.
pub(super) fn enumerated(v: &Value, names: &[&str]) -> Option<i64> {
    match v.as_str() {
        Some(name) => names.iter().position(|n| *n == name).and_then(|i| i64::try_from(i).ok()),
        None => integer(v),
    }
}

/// An instant given in seconds; `None` outside the years 0000 to 9999.
pub(super) fn seconds(v: &Value) -> Option<Timestamp> {
    integer(v).and_then(Timestamp::from_secs)
}

/// An instant given in milliseconds; `None` outside the years 0000 to 9999 and for 0, which engines write for
/// "never".
pub(super) fn millis(v: &Value) -> Option<Timestamp> {
    integer(v).filter(|ms| *ms != 0).and_then(Timestamp::from_millis)
}

/// Whether a message's time can be the age of its row: it lies after the epoch ([`seconds`] keeps it
/// before the year 10000).
pub(super) fn is_plausible(t: Timestamp) -> bool {
    t > Timestamp::EPOCH
}

/// An address in its kept form, from a string, from an id object of whatsapp-web.js (`_serialized`) or from a
/// JID of neonize (`User`, `Server`).
pub(super) fn address(v: &Value) -> Option<Text> {
    if let Some(s) = filled(v).or_else(|| filled(&v["_serialized"])) {
        return Some(Text::from_stored(address::normalize(s)));
    }
    let (user, server) = (filled(&v["User"])?, filled(&v["Server"])?);
    Some(Text::from_stored(address::normalize(&format!("{user}@{server}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_number_in_many_clothes() {
        let ms = 1_767_600_000_123_i64;
        for v in [
            json!(ms),
            json!(ms.to_string()),
            json!({"low": (ms as u32) as i32, "high": ms >> 32, "unsigned": false}),
            json!({"low": ms as u32, "high": ms >> 32, "unsigned": true}),
            json!(ms as f64),
        ] {
            assert_eq!(integer(&v), Some(ms), "{v}");
        }
        assert_eq!(integer(&json!({"low": -1, "high": -1, "unsigned": false})), Some(-1));
        for none in [
            json!({"low": -1, "high": -1, "unsigned": true}),
            json!({"low": "1", "high": 0}),
            json!({}),
            json!(u64::MAX),
            json!(1e300),
            json!("12x"),
            json!(""),
            json!(null),
            json!(true),
            json!([1]),
        ] {
            assert_eq!(integer(&none), None, "{none}");
        }
    }

    #[test]
    fn enums_by_name_and_by_number() {
        let names = ["ERROR", "PENDING"];
        assert_eq!(enumerated(&json!("PENDING"), &names), Some(1));
        assert_eq!(enumerated(&json!(1), &names), Some(1));
        assert_eq!(enumerated(&json!(7), &names), Some(7));
        assert_eq!(enumerated(&json!("NEW"), &names), None);
    }

    #[test]
    fn addresses_of_three_engines() {
        for v in [
            json!("12025550100:7@s.whatsapp.net"),
            json!({"server": "c.us", "user": "12025550100", "_serialized": "12025550100@c.us"}),
            json!({"User": "12025550100", "Device": 7, "Server": "s.whatsapp.net", "IsEmpty": false}),
        ] {
            assert_eq!(address(&v).unwrap(), "12025550100@s.whatsapp.net");
        }
        for none in [json!(""), json!(null), json!({"User": "", "Server": "", "IsEmpty": true}), json!(5)] {
            assert_eq!(address(&none), None);
        }
    }

    #[test]
    fn times_outside_the_calendar_are_none() {
        assert_eq!(seconds(&json!(253_402_300_799_i64)).unwrap().to_string(), "9999-12-31T23:59:59.000Z");
        assert_eq!(seconds(&json!(253_402_300_800_i64)), None);
        assert_eq!(seconds(&json!(0)), Some(Timestamp::EPOCH));
        assert!(!is_plausible(Timestamp::EPOCH));
        assert!(is_plausible(Timestamp::from_secs(1).unwrap()));
        assert_eq!(millis(&json!(0)), None);
    }
}
