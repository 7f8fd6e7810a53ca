//! The texts inside a JSON document, and which of them are secret.

use crate::error::Result;

/// Whether a text is a secret by its name (`password`, `proxyPassword` …), or by what it says: a URL with credentials.
pub(super) fn is_secret(name: &str, text: &str) -> bool {
    let has_credentials = || {
        let behind = text.split_once("://").map(|(_, behind)| behind);
        behind.and_then(|behind| behind.split_whitespace().next()).is_some_and(|url| url.contains('@'))
    };
    name.to_lowercase().ends_with("password") || has_credentials()
}

/// Where a text stands in its document.
pub(super) struct Place<'a> {
    steps: &'a [Step],
}

struct Step {
    /// The member's name as it is written, with quotes; `None`: an array.
    name: Option<String>,
    /// Whether a name comes next.
    name_next: bool,
    position: usize,
}

fn decoded(token: &str) -> String {
    serde_json::from_str(token).unwrap_or_else(|_| token.to_owned())
}

impl Place<'_> {
    /// Names and positions on the way to the text.
    pub(super) fn path(&self) -> String {
        let step = |s: &Step| s.name.as_ref().map_or_else(|| s.position.to_string(), |name| decoded(name));
        self.steps.iter().map(step).collect::<Vec<_>>().join("/")
    }

    /// The name of the member that the text is.
    pub(super) fn name(&self) -> String {
        self.steps.last().and_then(|s| s.name.as_deref()).map(decoded).unwrap_or_default()
    }
}

/// Has every text of a document looked at: a JSON string that is a value. What `each` answers takes its place; all else
/// stays as it is written. `None`: nothing changed.
pub(super) fn replace(
    document: &str,
    each: &mut dyn FnMut(&Place<'_>, &str) -> Result<Option<String>>,
) -> Result<Option<String>> {
    let bytes = document.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    let mut steps: Vec<Step> = Vec::new();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => steps.push(Step { name: Some(String::new()), name_next: true, position: 0 }),
            b'[' => steps.push(Step { name: None, name_next: false, position: 0 }),
            b'}' | b']' => drop(steps.pop()),
            b',' => {
                if let Some(step) = steps.last_mut() {
                    step.position += 1;
                    step.name_next = step.name.is_some();
                }
            }
            b':' => {
                if let Some(step) = steps.last_mut() {
                    step.name_next = false;
                }
            }
            b'"' => {
                let end = end_of_string(bytes, at);
                let token = &document[at..end];
                match steps.last_mut() {
                    Some(step) if step.name_next => step.name = Some(token.to_owned()),
                    _ => {
                        if let Some(new) = each(&Place { steps: &steps }, token)? {
                            out.push_str(&document[copied..at]);
                            out.push_str(&new);
                            copied = end;
                        }
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Ok(None);
    }
    out.push_str(&document[copied..]);
    Ok(Some(out))
}

/// Behind the closing quote of the string that starts at `at`.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(step) = memchr::memchr2(b'"', b'\\', bytes.get(end..).unwrap_or_default()) {
        end += step + 1;
        if bytes[end - 1] == b'"' {
            return end;
        }
        // What a backslash stands before is part of the string.
        end += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_with_their_path_and_the_rest_stays() {
        let document = r#" {"a" : "x", "b":{"c\"":[1.10,"y",{"d":"z\\"}]},"a":18446744073709551617,"e":"" }"#;
        let mut seen = Vec::new();
        let out = replace(document, &mut |place, token| {
            seen.push(format!("{} {} {token}", place.path(), place.name()));
            Ok((token == "\"y\"").then(|| "\"new\"".to_owned()))
        });
        assert_eq!(seen, ["a a \"x\"", "b/c\"/1  \"y\"", "b/c\"/2/d d \"z\\\\\"", "e e \"\""]);
        assert_eq!(out.unwrap().unwrap(), document.replace("\"y\"", "\"new\""));
        assert_eq!(replace("{}", &mut |_, _| Ok(None)).unwrap(), None);
        assert_eq!(replace("\"x\"", &mut |_, _| Ok(Some("1".to_owned()))).unwrap().as_deref(), Some("1"));
        // What is no JSON comes back somehow, without a panic.
        for broken in ["\"", "{\"", "]", "{\"a\":\"\\", "é\"é"] {
            let _ = replace(broken, &mut |_, _| Ok(Some(String::new())));
        }
    }

    #[test]
    fn passwords_and_urls_with_credentials_are_secret() {
        for (name, text) in [
            ("password", "x"),
            ("proxyPassword", ""),
            ("PASSWORD", "x"),
            ("url", "http://user:pass@proxy.example.com:8080"),
            ("args", "--proxy-server=socks5://token@10.0.0.9"),
            ("url", "http://user:p/ss@proxy.example.com"),
        ] {
            assert!(is_secret(name, text), "{name} {text}");
        }
        for (name, text) in [
            ("username", "user"),
            ("url", "http://proxy.example.com"),
            ("mail", "a@example.com"),
            ("", "://"),
        ] {
            assert!(!is_secret(name, text), "{name} {text}");
        }
    }
}
