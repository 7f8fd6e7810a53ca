//! What a WhatsApp message (`proto.Message`) says: unwrapping, type, body and media.
//!
//! Baileys and neonize both give protobuf messages as JSON. They spell few fields differently (`url` and `URL`,
//! `ptt` and `PTT`); [`field`](super::field) takes care of how their values are written.

use serde_json::{Map, Value};

use super::field;
use crate::json::Json;
use crate::policy::message::PLACEHOLDER;
use crate::text::Text;

/// The type of a message that only ever arrived as a notice of its deletion.
pub(super) const REVOKED: &str = "revoked";

/// Messages around a message, in the order in which Baileys itself looks for them.
const WRAPPERS: [&str; 9] = [
    "ephemeralMessage",
    "viewOnceMessage",
    "documentWithCaptionMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    EDITED,
    "associatedChildMessage",
    "groupStatusMessage",
    "groupStatusMessageV2",
];
const EDITED: &str = "editedMessage";
/// No honest client nests deeper.
const MOST_WRAPPERS: usize = 5;
/// The width of the column `type`.
const TYPE_LIMIT: usize = 50;

/// What a message turned out to be.
pub(super) enum Content<'a> {
    /// There is no content.
    Nothing,
    /// A `protocolMessage`, which asks for something instead of saying something.
    Control(&'a Value),
    /// A `reactionMessage`.
    Reaction(&'a Value),
    /// A `pollUpdateMessage`.
    PollVote,
    /// Something to keep.
    Said(Said),
}

/// The content of a message to keep.
pub(super) struct Said {
    /// The type's name.
    pub r#type: Text,
    /// Text, caption or name.
    pub body: Option<Text>,
    /// What is known of the file.
    pub media: Option<Json>,
    /// Whether it sat inside an `editedMessage` wrapper.
    pub edited: bool,
    /// Whether only its deletion is known.
    pub revoked: bool,
}

impl Said {
    /// The row of a message that could not be decrypted.
    pub fn placeholder() -> Self {
        Said::new(PLACEHOLDER)
    }

    /// The row of a message of which nothing but its deletion is known.
    pub fn revoked() -> Self {
        Said { revoked: true, ..Said::new(REVOKED) }
    }

    /// Content of a type of which nothing more is known.
    pub fn new(r#type: &str) -> Self {
        Said { r#type: Text::from_stored(r#type), body: None, media: None, edited: false, revoked: false }
    }
}

/// Reads a `proto.Message`.
pub(super) fn read(message: &Value) -> Content<'_> {
    let (message, edited) = unwrap(message);
    let Some((key, content)) = content_of(message) else { return Content::Nothing };
    match key {
        "protocolMessage" => Content::Control(content),
        "reactionMessage" => Content::Reaction(content),
        "pollUpdateMessage" => Content::PollVote,
        _ => {
            let (r#type, body) = type_and_body(key, content);
            Content::Said(Said { r#type, body, media: media(key, content), edited, revoked: false })
        }
    }
}

/// The body of an edit's new message.
pub(super) fn body(message: &Value) -> Option<Text> {
    if let Content::Said(said) = read(message) { said.body } else { None }
}

/// The innermost message, and whether a wrapper on the way marked an edit.
fn unwrap(mut message: &Value) -> (&Value, bool) {
    let mut edited = false;
    for _ in 0..MOST_WRAPPERS {
        let inner = WRAPPERS.iter().find_map(|w| Some((*w, message.get(w)?.get("message")?)));
        let Some((wrapper, inner)) = inner.filter(|(_, inner)| inner.is_object()) else { break };
        edited |= wrapper == EDITED;
        message = inner;
    }
    (message, edited)
}

/// The first field that holds content. Beside it stand `messageContextInfo` and the sender's group key.
fn content_of(message: &Value) -> Option<(&str, &Value)> {
    message
        .as_object()?
        .iter()
        .map(|(key, content)| (key.as_str(), content))
        .find(|(key, content)| is_content(key) && !content.is_null())
}

fn is_content(key: &str) -> bool {
    key == "conversation" || (key.contains("Message") && key != "senderKeyDistributionMessage")
}

fn type_and_body(key: &str, content: &Value) -> (Text, Option<Text>) {
    let named = |name: &str, body: &Value| (Text::from_stored(name), field::text(body));
    match key {
        "conversation" => named("text", content),
        "extendedTextMessage" => named("text", &content["text"]),
        "imageMessage" => named("image", &content["caption"]),
        "videoMessage" | "ptvMessage" => named("video", &content["caption"]),
        "documentMessage" => named("document", &content["caption"]),
        "audioMessage" => {
            let voice = field::flag(field::either(content, &["ptt", "PTT"]));
            named(if voice { "voice" } else { "audio" }, &Value::Null)
        }
        "stickerMessage" => named("sticker", &Value::Null),
        "locationMessage" => named("location", &content["name"]),
        "contactMessage" | "contactsArrayMessage" => named("contact", &content["displayName"]),
        "buttonsResponseMessage" | "templateButtonReplyMessage" => {
            named("button_reply", &content["selectedDisplayText"])
        }
        "listResponseMessage" => named("button_reply", &content["title"]),
        "interactiveResponseMessage" => named("button_reply", &content["body"]["text"]),
        "templateMessage" => {
            let template = field::either(content, &["hydratedTemplate", "hydratedFourRowTemplate"]);
            named("template", &template["hydratedContentText"])
        }
        "groupInviteMessage" => named("group_invite", &content["caption"]),
        "eventMessage" => named("event", &content["name"]),
        _ if key.starts_with("pollCreationMessage") => named("poll", &content["name"]),
        _ => (other_type(key), None),
    }
}

/// A type that this library does not know: `orderMessage` is kept as `order`.
fn other_type(key: &str) -> Text {
    let mut name = String::with_capacity(key.len() + 4);
    for c in key.replacen("Message", "", 1).chars().take(TYPE_LIMIT / 2) {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    Text::from_stored(if name.is_empty() { "unknown".to_owned() } else { name })
}

fn media(key: &str, content: &Value) -> Option<Json> {
    if !matches!(
        key,
        "imageMessage"
            | "videoMessage"
            | "ptvMessage"
            | "documentMessage"
            | "audioMessage"
            | "stickerMessage"
    ) {
        return None;
    }
    let mut file = MediaFields::default();
    file.text("mimetype", &content["mimetype"]);
    file.text("filename", &content["fileName"]);
    file.integer("filesize", &content["fileLength"]);
    file.text("url", field::either(content, &["url", "URL"]));
    file.text("caption", &content["caption"]);
    for name in ["seconds", "width", "height"] {
        file.integer(name, &content[name]);
    }
    Some(file.into_json())
}

/// The column `media`, field by field; what is missing stays out.
#[derive(Default)]
pub(super) struct MediaFields(Map<String, Value>);

impl MediaFields {
    pub fn text(&mut self, name: &str, v: &Value) {
        if let Some(s) = field::filled(v) {
            self.0.insert(name.to_owned(), s.into());
        }
    }

    pub fn integer(&mut self, name: &str, v: &Value) {
        if let Some(n) = field::integer(v) {
            self.0.insert(name.to_owned(), n.into());
        }
    }

    pub fn into_json(self) -> Json {
        Value::Object(self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(message: &Value) -> Said {
        match read(message) {
            Content::Said(said) => said,
            _ => panic!("no content in {message}"),
        }
    }

    #[test]
    fn types_and_bodies() {
        for (message, r#type, body) in [
            (json!({"conversation": "hi"}), "text", Some("hi")),
            (json!({"conversation": ""}), "text", Some("")),
            (json!({"extendedTextMessage": {"text": "hi"}}), "text", Some("hi")),
            (json!({"imageMessage": {"caption": "look"}}), "image", Some("look")),
            (json!({"imageMessage": {}}), "image", None),
            (json!({"ptvMessage": {"caption": "x"}}), "video", Some("x")),
            (json!({"audioMessage": {"ptt": true}}), "voice", None),
            (json!({"audioMessage": {"PTT": true}}), "voice", None),
            (json!({"audioMessage": {"ptt": false}}), "audio", None),
            (json!({"locationMessage": {"name": "here"}}), "location", Some("here")),
            (json!({"contactsArrayMessage": {"displayName": "2"}}), "contact", Some("2")),
            (json!({"pollCreationMessageV3": {"name": "?"}}), "poll", Some("?")),
            (json!({"listResponseMessage": {"title": "t"}}), "button_reply", Some("t")),
            (
                json!({"templateMessage": {"hydratedFourRowTemplate": {"hydratedContentText": "c"}}}),
                "template",
                Some("c"),
            ),
            (json!({"orderMessage": {}}), "order", None),
            (json!({"liveLocationMessage": {}}), "live_location", None),
            (json!({"imageMessage": 5}), "image", None),
            (
                json!({"messageContextInfo": {}, "senderKeyDistributionMessage": {}, "stickerMessage": {}}),
                "sticker",
                None,
            ),
            (json!({"imageMessage": null, "conversation": "x"}), "text", Some("x")),
        ] {
            let said = said(&message);
            assert_eq!(said.r#type, r#type, "{message}");
            assert_eq!(said.body.as_ref().map(Text::as_stored), body, "{message}");
        }
    }

    #[test]
    fn wrappers_are_taken_off_at_most_five_times() {
        let mut message = json!({"conversation": "core"});
        for (depth, wrapper) in WRAPPERS.iter().take(5).enumerate() {
            let said = said(&message);
            assert_eq!(said.body, Some("core".into()), "depth {depth}");
            message = json!({"messageContextInfo": {}, *wrapper: {"message": message}});
        }
        assert_eq!(said(&json!({"ephemeralMessage": {"message": message}})).body, None);
    }

    #[test]
    fn an_edit_wrapper_marks_an_edit() {
        let edited =
            json!({"ephemeralMessage": {"message": {"editedMessage": {"message": {"conversation": "b"}}}}});
        assert!(said(&edited).edited);
        assert!(!said(&json!({"conversation": "b"})).edited);
        assert_eq!(body(&edited), Some("b".into()));
    }

    #[test]
    fn what_is_not_said() {
        assert!(matches!(read(&json!({"protocolMessage": {"type": 0}})), Content::Control(_)));
        assert!(matches!(read(&json!({"reactionMessage": {}})), Content::Reaction(_)));
        assert!(matches!(read(&json!({"pollUpdateMessage": {}})), Content::PollVote));
        for nothing in [json!(null), json!({}), json!("x"), json!({"messageContextInfo": {}}), json!([1])] {
            assert!(matches!(read(&nothing), Content::Nothing), "{nothing}");
        }
    }

    #[test]
    fn media_of_both_engines() {
        let baileys = json!({"imageMessage": {"url": "https://m/x", "mimetype": "image/jpeg", "caption": "c",
            "fileLength": {"low": 9, "high": 0, "unsigned": true}, "width": 4, "height": 3,
            "mediaKey": {"type": "Buffer", "data": "AA=="}}});
        let neonize = json!({"imageMessage": {"URL": "https://m/x", "mimetype": "image/jpeg", "caption": "c",
            "fileLength": "9", "width": 4, "height": 3, "mediaKey": "AA=="}});
        let expected = json!({"mimetype": "image/jpeg", "filesize": 9, "url": "https://m/x", "caption": "c",
            "width": 4, "height": 3});
        for message in [baileys, neonize] {
            assert_eq!(said(&message).media.unwrap().value().unwrap(), expected);
        }
    }
}
