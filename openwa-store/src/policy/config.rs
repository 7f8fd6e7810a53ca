//! The schema of a session's config and of a message's media: known keys must have the right type, unknown
//! keys are kept. `null` counts as absent.

use serde_json::Value;

use super::retention;
use super::shape::{self, Fields};
use crate::error::Result;
use crate::json::Json;

/// The keys by which a session's config switches its message history off; `storeHistory` is the documented
/// one.
const HISTORY_KEYS: [&str; 2] = ["storeHistory", "history"];

/// Checks a session's config.
///
/// | key | type |
/// |---|---|
/// | `autoReconnect` | true or false |
/// | `maxReconnectAttempts` | whole number, at least 0 |
/// | `puppeteer.headless` | true or false, or the name of a mode (`"shell"`, `"new"`) |
/// | `puppeteer.args` | array of strings |
/// | `proxy.host`, `proxy.username`, `proxy.password` | string |
/// | `proxy.port` | whole number from 1 to 65535 |
/// | `storeHistory` or `history` | true or false, see [`history_enabled`] |
/// | `retention.messages` | see [`retention::message_window`] |
///
/// # Errors
/// `InvalidArgument` naming the column `config` and the path; never a value that could be a secret.
pub fn check_session_config(config: &Json) -> Result<()> {
    let value = shape::value(config, "config")?;
    let fields = Fields::of("config", &value)?;
    fields.boolean("autoReconnect")?;
    fields.integer("maxReconnectAttempts", 0, u64::MAX)?;
    if let Some(puppeteer) = fields.object("puppeteer")? {
        puppeteer
            .check("headless", "true, false or the name of a mode", |v| v.is_boolean() || v.is_string())?;
        puppeteer.texts("args")?;
    }
    if let Some(proxy) = fields.object("proxy")? {
        proxy.text("host")?;
        proxy.integer("port", 1, 65_535)?;
        proxy.text("username")?;
        proxy.text("password")?;
    }
    HISTORY_KEYS.iter().try_for_each(|key| fields.boolean(key))?;
    retention::message_window_of(&fields).map(drop)
}

/// Whether a session keeps its messages: yes, unless its config says `"storeHistory": false` or
/// `"history": false`.
#[must_use]
pub fn history_enabled(config: &Value) -> bool {
    HISTORY_KEYS.iter().all(|key| config.get(key) != Some(&Value::Bool(false)))
}

/// Checks what a message says about its file: `mimetype`, `filename`, `url` and `caption` are strings,
/// `filesize` is a number of bytes, not negative.
///
/// # Errors
/// `InvalidArgument` naming the column `media` and the path.
pub fn check_media(media: &Json) -> Result<()> {
    let value = shape::value(media, "media")?;
    let fields = Fields::of("media", &value)?;
    ["mimetype", "filename", "url", "caption"].iter().try_for_each(|key| fields.text(key))?;
    fields.size("filesize")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_of_the_original_document_is_good() {
        let config = r#"{"autoReconnect":true,"maxReconnectAttempts":5,
            "puppeteer":{"headless":true,"args":["--no-sandbox"]},
            "proxy":{"host":"proxy.example.com","port":8080,"username":"user","password":"pass"},
            "unknownOption":{"kept":[1,2,3]}}"#;
        check_session_config(&Json::parse(config).unwrap()).unwrap();
        check_session_config(&Json::default()).unwrap();
        check_session_config(&Json::parse(r#"{"proxy":null,"autoReconnect":null}"#).unwrap()).unwrap();
    }

    #[test]
    fn a_wrong_type_is_refused_by_its_path() {
        for (config, path) in [
            (r#"{"autoReconnect":"yes"}"#, "autoReconnect"),
            (r#"{"maxReconnectAttempts":-1}"#, "maxReconnectAttempts"),
            (r#"{"maxReconnectAttempts":1.5}"#, "maxReconnectAttempts"),
            (r#"{"puppeteer":[]}"#, "puppeteer"),
            (r#"{"puppeteer":{"headless":1}}"#, "puppeteer.headless"),
            (r#"{"puppeteer":{"args":["a",1]}}"#, "puppeteer.args"),
            (r#"{"proxy":{"host":1}}"#, "proxy.host"),
            (r#"{"proxy":{"port":0}}"#, "proxy.port"),
            (r#"{"proxy":{"port":65536}}"#, "proxy.port"),
            (r#"{"proxy":{"port":"8080"}}"#, "proxy.port"),
            (r#"{"storeHistory":"no"}"#, "storeHistory"),
            (r#"{"history":0}"#, "history"),
            (r#"{"retention":{"messages":0}}"#, "retention.messages"),
        ] {
            let e = check_session_config(&Json::parse(config).unwrap()).unwrap_err();
            assert_eq!((e.context("column"), e.context("path")), (Some("config"), Some(path)), "{config}");
        }
    }

    #[test]
    fn an_error_never_shows_a_secret() {
        let config = r#"{"proxy":{"username":"hunter1","password":["hunter2"]}}"#;
        let e = check_session_config(&Json::parse(config).unwrap()).unwrap_err();
        assert!(!format!("{e:?}").contains("hunter"), "{e:?}");
        let e = check_session_config(&Json::parse(r#"{"proxy":{"password":271828}}"#).unwrap()).unwrap_err();
        assert!(!format!("{e:?}").contains("271828"), "{e:?}");
    }

    #[test]
    fn history_is_kept_unless_it_is_switched_off() {
        for (config, on) in [
            ("{}", true),
            (r#"{"storeHistory":true}"#, true),
            (r#"{"storeHistory":false}"#, false),
            (r#"{"history":false}"#, false),
            (r#"{"storeHistory":true,"history":false}"#, false),
            (r#"{"storeHistory":null}"#, true),
        ] {
            assert_eq!(history_enabled(&crate::json::parse(config).unwrap()), on, "{config}");
        }
    }

    #[test]
    fn media_fields_have_their_type() {
        let check = |s: &str| check_media(&Json::parse(s).unwrap());
        check(r#"{"mimetype":"image/jpeg","filename":null,"filesize":102400,"x":1}"#).unwrap();
        check(r#"{"url":"https://storage.example.com/a","caption":""}"#).unwrap();
        for (media, path) in [
            (r#"{"mimetype":1}"#, "mimetype"),
            (r#"{"filename":[]}"#, "filename"),
            (r#"{"filesize":"1"}"#, "filesize"),
            (r#"{"filesize":-1}"#, "filesize"),
            (r#"{"url":false}"#, "url"),
            (r#"{"caption":{}}"#, "caption"),
        ] {
            assert_eq!(check(media).unwrap_err().context("path"), Some(path), "{media}");
        }
        assert!(check("null").is_err());
    }
}
