//! Rows as JSON, for programs that look at them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Table;
use crate::json::{Json, quote};
use crate::value::Value;

/// A row as a JSON object. Text is in the stored form, which is what [`Json`] holds.
pub(super) fn object(table: &Table, values: &[Value<'_>]) -> Json {
    let mut out = String::from("{");
    for (column, value) in table.columns.iter().zip(values).filter(|(c, _)| !c.secret) {
        if out.len() > 1 {
            out.push(',');
        }
        quote(&mut out, column.name);
        out.push(':');
        match *value {
            Value::Null => out.push_str("null"),
            Value::Int(n) => out.push_str(&n.to_string()),
            Value::Bool(b) => out.push_str(if b { "true" } else { "false" }),
            Value::Real(x) => out.push_str(&serde_json::Value::from(x).to_string()),
            Value::Json(document) => out.push_str(document),
            Value::Text(s) => quote(&mut out, s),
            Value::Bytes(bytes) => quote(&mut out, &STANDARD.encode(bytes)),
            Value::Time(t) => quote(&mut out, t.iso().as_str()),
            Value::Uuid(id) => quote(&mut out, &id.to_string()),
            // No column holds a list.
            Value::List(..) => out.push_str("null"),
        }
    }
    out.push('}');
    Json::from_stored(out)
}

#[cfg(test)]
mod tests {
    use crate::entity::{ApiKey, MessageReaction};
    use crate::{Json, Text, Timestamp};
    use uuid::Uuid;

    #[test]
    fn text_and_documents_come_out_as_they_were() {
        let row = MessageReaction {
            session_id: Uuid::nil(),
            wa_message_id: "A\"1".into(),
            sender: "me".into(),
            emoji: Text::from_utf16(&[0xD83D, 0x21]),
            reacted_at: Timestamp::EPOCH,
        };
        assert_eq!(
            row.to_json().to_json(),
            r#"{"session_id":"00000000-0000-0000-0000-000000000000","wa_message_id":"A\"1","sender":"me","emoji":"\ud83d!","reacted_at":"1970-01-01T00:00:00.000Z"}"#
        );
    }

    #[test]
    fn secrets_stay_inside_and_digits_are_kept() {
        let key = ApiKey {
            id: Uuid::nil(),
            key_hash: "deadbeef".into(),
            key_prefix: "owa_k1_0011".into(),
            name: "k".into(),
            permissions: Json::parse("[18446744073709551617]").unwrap(),
            allowed_sessions: None,
            allowed_chats: None,
            active: true,
            expires_at: None,
            last_used_at: None,
            usage_count: 7,
            created_at: Timestamp::EPOCH,
        };
        let json = key.to_json();
        assert!(!json.as_stored().contains("deadbeef"));
        assert!(json.as_stored().contains(r#""permissions":[18446744073709551617],"allowed_sessions":null"#));
        assert!(json.as_stored().contains(r#""active":true,"expires_at":null"#));
    }
}
