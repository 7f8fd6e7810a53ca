//! The shared truth in `tests/vectors/*.json`, through the crate's public interface. C, Python and Node run
//! the same files. A failure names the file, the list and the case, and every failing case of a file is
//! listed.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use openwa_store::entity::{ApiKey, IpWhitelistEntry, SessionStatus};
use openwa_store::policy::authorize::{self, KeyRules, Request};
use openwa_store::policy::ip::{self, Network};
use openwa_store::policy::permissions::{self, Permission, PermissionSet};
use openwa_store::policy::session::{self, Step};
use openwa_store::policy::webhook::{self, RetryPolicy, UrlPolicy, WebhookEvent};
use openwa_store::policy::{keys, message};
use openwa_store::{Json, Kind, Text, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

/// One vector file, and the cases that failed.
struct Vectors {
    file: &'static str,
    document: Value,
    failures: Vec<String>,
}

impl Vectors {
    fn open(file: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
        let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let document = serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        Vectors { file, document, failures: Vec::new() }
    }

    /// Runs every case of a list: `run` gives what the library says, `expect` the field that holds the truth.
    fn each(&mut self, list: &str, expect: &str, run: impl Fn(&Value) -> Value) -> &mut Self {
        let cases = self.document[list].as_array().unwrap_or_else(|| panic!("{}: no list {list}", self.file));
        assert!(!cases.is_empty(), "{}: {list} is empty", self.file);
        for (i, case) in cases.iter().enumerate() {
            let found = run(case);
            let expected =
                case.get(expect).unwrap_or_else(|| panic!("{}: {list}[{i}] has no {expect}", self.file));
            if found != *expected {
                self.failures.push(format!("{list}[{i}] {case}\n    the library says {found}"));
            }
        }
        self
    }

    fn names(&self) -> Vec<&str> {
        self.document["names"].as_array().expect("names").iter().map(text).collect()
    }

    fn finish(&self) {
        assert!(self.failures.is_empty(), "{}:\n  {}", self.file, self.failures.join("\n  "));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("not a whole number: {value}"))
}

/// What the library accepted, as JSON; `null` when it refused with `InvalidArgument`.
fn accepted<T>(result: openwa_store::Result<T>, show: impl Fn(T) -> Value) -> Value {
    match result {
        Ok(value) => show(value),
        Err(e) if e.kind() == Kind::InvalidArgument => Value::Null,
        Err(e) => json!(format!("{e:?}")),
    }
}

fn is_accepted<T>(result: openwa_store::Result<T>) -> Value {
    json!(!accepted(result, |_| json!(true)).is_null())
}

fn strings(values: &Value) -> Vec<&str> {
    values.as_array().expect("a list").iter().map(text).collect()
}

#[test]
fn keys_hash_and_prefix() {
    let pepper = |case: &Value| case["pepper"].as_str().map(|p| p.as_bytes().to_vec());
    Vectors::open("keys.json")
        .each("cases", "hash", |c| json!(keys::hash(text(&c["key"]), pepper(c).as_deref())))
        .each("cases", "hash", |c| {
            let stored = keys::parse_hash(text(&c["hash"])).expect("64 hex digits");
            let same = keys::equal(&stored, &keys::digest(text(&c["key"]), pepper(c).as_deref()));
            if same { c["hash"].clone() } else { json!("the digest differs") }
        })
        .each("cases", "prefix", |c| json!(keys::prefix(text(&c["key"]))))
        .finish();
}

#[test]
fn permissions_are_read_and_tested() {
    let mut vectors = Vectors::open("permissions.json");
    assert_eq!(vectors.names(), Permission::NAMES);
    let set = |names: &Value| -> PermissionSet {
        permissions::parse(&Json::from(names.clone())).expect("known names").into_iter().collect()
    };
    vectors
        .each("parse", "permissions", |c| {
            let parsed = Json::parse(text(&c["json"])).and_then(|j| permissions::parse(&j));
            accepted(parsed, |list| list.into_iter().map(Permission::name).collect())
        })
        .each("allows", "allows", |c| {
            json!(set(&c["permissions"]).allows(text(&c["asks"]).parse().expect("a permission")))
        })
        .finish();
}

#[test]
fn addresses_networks_and_clients() {
    let networks = |list: &Value| -> Vec<Network> {
        strings(list).iter().map(|n| Network::parse(n).expect("a network")).collect()
    };
    let address = |v: &Value| text(v).parse::<IpAddr>().expect("an address");
    Vectors::open("addresses_ip.json")
        .each("addresses", "address", |c| {
            accepted(ip::parse_address(text(&c["text"])), |a| json!(a.to_string()))
        })
        .each("networks", "network", |c| accepted(Network::parse(text(&c["text"])), |n| json!(n.to_string())))
        .each("contains", "contains", |c| {
            json!(Network::parse(text(&c["network"])).expect("a network").contains(address(&c["address"])))
        })
        .each("client_ip", "client", |c| {
            let trusted = networks(&c["trusted"]);
            json!(ip::client_ip(address(&c["peer"]), c["x_forwarded_for"].as_str(), &trusted).to_string())
        })
        .finish();
}

#[test]
fn status_edges() {
    let status = |v: &Value| text(v).parse::<SessionStatus>().expect("a status");
    let mut vectors = Vectors::open("status_edges.json");
    let pairs = SessionStatus::ALL.len() * SessionStatus::ALL.len();
    assert_eq!(vectors.document["edges"].as_array().map(Vec::len), Some(pairs));
    vectors
        .each("edges", "result", |c| match session::check(status(&c["from"]), status(&c["to"])) {
            Ok(Step::Move) => json!("move"),
            Ok(Step::Same) => json!("same"),
            Err(e) => {
                let named = e.context("from") == c["from"].as_str() && e.context("to") == c["to"].as_str();
                let allowed = session::allowed_from(status(&c["from"]));
                let listed = allowed.iter().all(|s| e.message().contains(s.name()));
                json!(if e.kind() == Kind::InvalidTransition && named && listed {
                    "refused"
                } else {
                    "vague"
                })
            }
        })
        .each("on_start", "needs_engine", |c| json!(session::needs_engine(status(&c["status"]))))
        .each("on_start", "should_restore", |c| json!(session::should_restore(status(&c["status"]))))
        .each("on_start", "recreate", |c| json!(session::check_recreate(status(&c["status"])).is_ok()))
        .finish();
}

#[test]
fn acks_only_rise() {
    Vectors::open("acks.json")
        .each("cases", "result", |c| json!(message::raise_ack(c["current"].as_i64(), c["new"].as_i64())))
        .finish();
}

#[test]
fn webhooks() {
    let mut vectors = Vectors::open("webhooks.json");
    assert_eq!(vectors.names(), WebhookEvent::NAMES);
    let event = |name: &str| name.parse::<WebhookEvent>().expect("an event");
    let url = |c: &Value, allow_private| {
        is_accepted(webhook::check_url(text(&c["url"]), UrlPolicy { allow_private }))
    };
    vectors
        .each("events", "events", |c| {
            let parsed = Json::parse(text(&c["json"])).and_then(|j| webhook::parse_events(&j));
            accepted(parsed, |list| list.into_iter().map(WebhookEvent::name).collect())
        })
        .each("hears", "hears", |c| {
            let events: Vec<WebhookEvent> = strings(&c["events"]).into_iter().map(event).collect();
            json!(webhook::hears(&events, event(text(&c["event"]))))
        })
        .each("urls", "default", |c| url(c, false))
        .each("urls", "private_allowed", |c| url(c, true))
        .each("headers", "ok", |c| {
            is_accepted(Json::parse(text(&c["json"])).and_then(|j| webhook::check_headers(&j)))
        })
        .each("sign", "signature", |c| {
            json!(webhook::sign(text(&c["secret"]).as_bytes(), text(&c["body"]).as_bytes()))
        })
        .each("verify", "valid", |c| {
            let (secret, body) = (text(&c["secret"]).as_bytes(), text(&c["body"]).as_bytes());
            json!(webhook::verify(secret, body, text(&c["signature"])))
        })
        .finish();
}

#[test]
fn retries() {
    let count = |v: &Value| u32::try_from(number(v)).expect("a count");
    let millis = |v: &Value| Duration::from_millis(u64::try_from(number(v)).expect("a duration"));
    Vectors::open("retry.json")
        .each("cases", "wait_ms", |c| {
            let policy = RetryPolicy {
                retry_count: count(&c["retry_count"]),
                base: millis(&c["base_ms"]),
                cap: millis(&c["cap_ms"]),
            };
            let wait =
                webhook::next_attempt(count(&c["attempt"]), &policy, c["random"].as_f64().expect("random"));
            json!(wait.map(|d| d.as_millis() as u64))
        })
        .finish();
}

/// A key's row and its whitelist rows, from a case laid over the defaults.
fn key_rows(defaults: &Value, case: &Value) -> (ApiKey, Vec<IpWhitelistEntry>) {
    let field = |name: &str| case.get(name).unwrap_or(&defaults[name]).clone();
    let list = |name: &str| Some(field(name)).filter(|v| !v.is_null()).map(Json::from);
    let key = ApiKey {
        id: Uuid::nil(),
        key_hash: Text::default(),
        key_prefix: Text::default(),
        name: "vector".into(),
        permissions: field("permissions").into(),
        allowed_sessions: list("allowed_sessions"),
        allowed_chats: list("allowed_chats"),
        active: field("active") == json!(true),
        expires_at: field("expires_at").as_str().map(|t| Timestamp::parse(t).expect("a time")),
        last_used_at: None,
        usage_count: 0,
        created_at: Timestamp::EPOCH,
    };
    let entry = |row: &Value| IpWhitelistEntry {
        id: Uuid::nil(),
        api_key_id: key.id,
        ip_address: text(&row["ip_address"]).into(),
        cidr_range: row["cidr_range"].as_str().map(Text::from),
        description: None,
        active: row["active"] == json!(true),
        created_at: Timestamp::EPOCH,
    };
    let entries = field("whitelist").as_array().expect("a list").iter().map(entry).collect();
    (key, entries)
}

#[test]
fn authorization() {
    let mut vectors = Vectors::open("authorize.json");
    let defaults = vectors.document["key"].clone();
    let now = Timestamp::parse(text(&vectors.document["now"])).expect("a time");
    vectors
        .each("cases", "decision", |c| {
            let (key, whitelist) = key_rows(&defaults, &c["key"]);
            let rules = KeyRules::compile(&key, &whitelist).expect("readable rules");
            let asked = &c["request"];
            let request = Request {
                permission: asked["permission"].as_str().map(|p| p.parse().expect("a permission")),
                ip: asked["ip"].as_str().map(|ip| ip.parse().expect("an address")),
                session: asked["session"].as_str(),
                session_alias: asked["session_alias"].as_str(),
                chat: asked["chat"].as_str(),
                now,
            };
            json!(authorize::decide(&rules, &request).name())
        })
        .finish();
}

#[test]
fn rules_that_cannot_be_read_are_an_error_that_names_the_row() {
    let defaults = Vectors::open("authorize.json").document["key"].clone();
    let bad_range = json!({"ip_address": "10.0.0.0", "cidr_range": "10.0.0.0/", "active": true});
    for (case, table, column) in [
        (json!({"permissions": "*"}), "api_keys", "permissions"),
        (json!({"allowed_sessions": {}}), "api_keys", "allowed_sessions"),
        (json!({"allowed_chats": [1]}), "api_keys", "allowed_chats"),
        (json!({"whitelist": [bad_range]}), "ip_whitelist", "cidr_range"),
        (json!({"whitelist": [{"ip_address": "any", "active": true}]}), "ip_whitelist", "ip_address"),
    ] {
        let (key, whitelist) = key_rows(&defaults, &case);
        let e = KeyRules::compile(&key, &whitelist).expect_err("a rule that cannot be read");
        let found = (e.kind(), e.context("table"), e.context("column"), e.context("row").is_some());
        assert_eq!(found, (Kind::Unreadable, Some(table), Some(column), true), "{case}");
    }
}

#[test]
fn a_scope_is_an_array_of_strings() {
    for (scope, good) in
        [(json!([]), true), (json!(["support"]), true), (json!("support"), false), (json!([1]), false)]
    {
        let checked = authorize::check_scope(&scope.clone().into(), "allowed_sessions");
        assert_eq!(checked.is_ok(), good, "{scope}");
        assert!(checked.err().is_none_or(|e| e.context("column") == Some("allowed_sessions")));
    }
}

#[test]
fn dates_by_hand() {
    Vectors::open("dates.json")
        .each("cases", "ms", |c| accepted(Timestamp::parse(text(&c["text"])), |t| json!(t.millis())))
        .finish();
}

#[test]
fn dates_as_node_writes_and_reads_them() {
    let vectors = Vectors::open("dates_node.json");
    let list = |name: &str| vectors.document[name].as_array().expect("a list");
    assert_eq!((list("iso").len(), list("parsed").len()), (10_000, 2000));
    for case in list("iso") {
        let t = Timestamp::from_millis(number(&case[0])).expect("in the calendar");
        assert_eq!(t.iso().as_str(), text(&case[1]), "{case}");
        assert_eq!(Timestamp::parse(text(&case[1])).expect("a time"), t, "{case}");
    }
    for case in list("parsed") {
        assert_eq!(Timestamp::parse(text(&case[0])).map(Timestamp::millis).ok(), case[1].as_i64(), "{case}");
    }
}
