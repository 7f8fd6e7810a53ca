use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::{Call, EnumDef, Record, Shape, Type, VERBS, Value, Verb, VerbKind, enums, find, shapes};
use crate::{Json, Kind, Result, Store, Text, Timestamp, Uuid};

/// Public methods that are no verbs of the face, and why.
const NO_VERBS: &[(&str, &str)] = &[
    ("store.open", "each binding opens in its own way"),
    ("store.open_with", "each binding opens in its own way"),
    ("store.in_memory", "each binding opens in its own way"),
    ("store.close", "each binding closes in its own way"),
    ("store.config", "what the host gave itself"),
    ("store.export", "a stream of the host's; `export_file` is the verb"),
    ("store.import", "a stream of the host's; `import_file` is the verb"),
    ("store.export_openwa", "a stream of the host's; `export_openwa_file` is the verb"),
    ("store.ingest_at", "`ingest` takes the time"),
    ("sessions.transition_because", "`transition` takes the reason"),
    ("messages.iterate", "bindings walk the pages of `list`"),
];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The public methods of the store and its groups with their documentation, as they stand in the source.
fn methods() -> BTreeMap<String, String> {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["store", "maintenance", "maintenance/scheduler"] {
        files.extend(std::fs::read_dir(src().join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.retain(|path| path.is_file());
    let mut found = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let (mut group, mut doc) = (None, Vec::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("impl") {
                group = group_of(rest.trim_start().trim_end_matches(" {"));
            } else if let Some(rest) = line.strip_prefix("    ///") {
                doc.push(rest.trim());
            } else if let Some(rest) = line.strip_prefix("    pub fn ")
                && let Some(group) = &group
            {
                let name = rest.split(['(', '<']).next().unwrap();
                found.insert(format!("{group}.{name}"), std::mem::take(&mut doc).join("\n"));
            } else if !line.starts_with("    #[") {
                doc.clear();
            }
        }
    }
    found
}

/// `Store`, or a group that `Store` gives out.
fn group_of(subject: &str) -> Option<String> {
    let name = subject.strip_suffix("<'_>").or((subject == "Store").then_some(subject))?;
    let mut group = String::new();
    for (i, c) in name.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            group.push('_');
        }
        group.push(c.to_ascii_lowercase());
    }
    Some(group)
}

fn is_group(path: &str) -> bool {
    path.strip_prefix("store.").is_some_and(|name| VERBS.iter().any(|v| v.group == name))
}

#[test]
fn every_public_method_is_a_verb() {
    let methods = methods();
    assert!(methods.len() > 80, "the source was not understood: {:?}", methods.keys());
    for path in methods.keys().filter(|p| !is_group(p)) {
        let named = VERBS.iter().any(|v| v.path == path);
        let excused = NO_VERBS.iter().any(|(p, _)| p == path);
        assert!(named != excused, "{path} must either be in VERBS or have a reason in NO_VERBS");
    }
    for verb in VERBS.iter().filter(|v| v.kind() != VerbKind::Pure) {
        assert!(methods.contains_key(verb.path), "{} is no method", verb.path);
    }
    for (path, _) in NO_VERBS {
        assert!(methods.contains_key(*path), "{path} is no method");
    }
}

#[test]
fn the_documentation_is_that_of_the_methods() {
    let mut wanted = String::from(
        "// Generated from the documentation of the methods; `BLESS=1 cargo test -p openwa-store face` renews it.\n\n\
         #[rustfmt::skip]\npub(super) const DOCS: &[(&str, &str)] = &[\n",
    );
    for (path, doc) in methods().iter().filter(|(path, _)| VERBS.iter().any(|v| v.path == *path)) {
        assert!(!doc.is_empty(), "{path} has no documentation");
        wanted.push_str(&format!("    ({path:?}, {doc:?}),\n"));
    }
    wanted.push_str("];\n");
    let file = src().join("face/docs.rs");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap();
    assert!(found == wanted, "face/docs.rs is out of date; BLESS=1 renews it");
}

/// What a parameter cannot be called in C, C++, JavaScript or Python.
const KEYWORDS: &[&str] = &[
    "as", "class", "default", "delete", "export", "from", "function", "global", "import", "in", "is",
    "lambda", "new", "not", "private", "public", "register", "return", "short", "this", "typeof", "void",
    "with", "yield",
];

#[test]
fn names_are_unique_and_everything_is_documented() {
    let mut paths = HashSet::new();
    for verb in VERBS {
        assert!(paths.insert(verb.path), "{} twice", verb.path);
        assert!(verb.path == format!("{}.{}", verb.group, verb.name));
        let mut optional = false;
        for p in verb.params {
            assert!(!KEYWORDS.contains(&p.name), "{}: {} is a keyword somewhere", verb.path, p.name);
            assert!(p.doc.ends_with('.'), "{} {}: {:?}", verb.path, p.name, p.doc);
            assert!(!(optional && p.required), "{}: {} is needed behind what is not", verb.path, p.name);
            optional |= !p.required;
        }
    }
    let mut names = HashSet::new();
    for Shape { name, doc, fields } in shapes() {
        assert!(names.insert(*name) && !doc.is_empty(), "{name}");
        assert!(fields.iter().all(|f| !f.doc.is_empty()), "{name}");
        assert_eq!(fields.iter().map(|f| f.name).collect::<HashSet<_>>().len(), fields.len(), "{name}");
    }
    for EnumDef { name, doc, values, docs } in enums() {
        assert!(names.insert(*name) && !doc.is_empty() && values.len() == docs.len(), "{name}");
    }
}

#[test]
fn prose_is_without_rust() {
    assert_eq!(
        super::prose("As [`get`](Self::get), see\n [`crate::Text`].\n\n # Errors\n `Busy`."),
        "As `get`, see\n`Text`.\n\nErrors: `Busy`."
    );
}

/// Shapes of one name are one shape: bindings look them up by name, values carry a reference.
#[test]
fn a_shape_has_one_identity() {
    fn each(ty: &Type, check: &mut dyn FnMut(&'static Shape)) {
        match ty {
            Type::Record(shape) | Type::Page(shape) => check(shape),
            Type::List(item) => each(item, check),
            _ => {}
        }
    }
    let known = shapes();
    let mut check = |shape: &'static Shape| {
        assert!(known.iter().any(|s| std::ptr::eq(*s, shape)), "{} exists twice", shape.name);
    };
    for verb in VERBS {
        verb.params.iter().for_each(|p| each(&p.ty, &mut check));
        each(&verb.result, &mut check);
    }
    for shape in &known {
        shape.fields.iter().for_each(|f| each(&f.ty, &mut check));
    }
}

fn sample(ty: &Type) -> Value {
    match ty {
        Type::Unit => Value::Null,
        Type::Bool => Value::Bool(true),
        Type::Int | Type::Duration => Value::Int(i64::MIN + 1),
        Type::Float => Value::Float(0.25),
        Type::Text => Value::Text(Text::from_utf16(&[0x68, 0, 0xD83D, 0x241B, 0x22])),
        Type::Json => Value::Json(Json::parse(r#"{"a":[18446744073709551617,"\u0000\ud83d"]}"#).unwrap()),
        Type::Time => Value::Time(Timestamp::MAX),
        Type::Uuid => Value::Uuid(Uuid::from_u128(7)),
        Type::Bytes => Value::Bytes(vec![0, 255, 10]),
        Type::Enum(list) => Value::Text((*list.values.last().unwrap()).into()),
        Type::Record(shape) => Value::Record(full(shape)),
        Type::List(item) => Value::List(vec![sample(item), sample(item)]),
        Type::Page(shape) => {
            Value::Page(Box::new(crate::Page { items: vec![full(shape)], next: Some("x".into()) }))
        }
    }
}

fn full(shape: &'static Shape) -> Record {
    let mut record = Record::empty(shape);
    for (i, field) in shape.fields.iter().enumerate() {
        record.set(i, sample(&field.ty)).unwrap();
    }
    record
}

#[test]
fn every_shape_survives_its_json_form() {
    for shape in shapes() {
        let record = full(shape);
        let json = record.to_json();
        assert_eq!(Record::from_json(shape, json.to_json().as_bytes()).unwrap(), record, "{}", shape.name);
        for field in shape.fields.iter().filter(|f| f.nullable) {
            let mut record = full(shape);
            record.put(field.name, Value::Null).unwrap();
            let json = record.to_json();
            assert_eq!(
                Record::from_json(shape, json.to_json().as_bytes()).unwrap(),
                record,
                "{}",
                shape.name
            );
        }
        let empty = Record::from_json(shape, "{}").unwrap();
        assert_eq!(empty, Record::empty(shape));
        assert_eq!(empty.to_json().as_stored(), "{}");
        let unknown = Record::from_json(shape, r#"{"nosuch":1}"#).unwrap_err();
        assert_eq!(unknown.kind(), Kind::InvalidArgument);
        assert!(unknown.message().contains(shape.fields[0].name), "{unknown}");
    }
    for verb in VERBS.iter().filter(|v| !matches!(v.result, Type::Unit)) {
        let value = sample(&verb.result);
        let again = Value::from_json(&verb.result, value.to_json().to_json().as_bytes(), "result");
        assert_eq!(again.unwrap(), value, "{}", verb.path);
    }
}

fn verb(path: &str) -> &'static Verb {
    let (group, name) = path.split_once('.').unwrap();
    find(group, name).unwrap_or_else(|| panic!("no verb {path}"))
}

fn run(store: &Store, path: &str, args: Vec<Value>) -> Result<Value> {
    verb(path).call(store, args).and_then(Call::run)
}

fn input(path: &str, param: &str, json: &str) -> Value {
    let param = verb(path).params.iter().find(|p| p.name == param).unwrap();
    Value::from_json(&param.ty, json, param.name).unwrap()
}

fn record(value: Value) -> Record {
    match value {
        Value::Record(record) => record,
        other => panic!("{other:?} is no record"),
    }
}

#[test]
fn verbs_run_on_values() {
    let store = Store::in_memory().unwrap();
    let new = input("sessions.create", "session", r#"{"name":"shop-1","config":{"history":true}}"#);
    let session = record(run(&store, "sessions.create", vec![new]).unwrap());
    let id = session.get("id").unwrap().clone();
    let message = r#"{"wa_message_id":"A1","chat_id":"12025550143","from_number":"12025550143","type":"text",
        "body":"hello","wa_timestamp":"2026-01-05T08:01:23Z"}"#;
    let save = || run(&store, "messages.save", vec![id.clone(), input("messages.save", "message", message)]);
    let saved = record(save().unwrap());
    assert_eq!(
        (saved.get("outcome"), saved.get("is_new")),
        (Some(&Value::Text("inserted".into())), Some(&Value::Bool(true)))
    );
    assert_eq!(record(save().unwrap()).get("outcome"), Some(&Value::Text("unchanged".into())));

    // What need not be given may be left out or absent.
    let Value::Page(page) = run(&store, "messages.list", vec![id.clone()]).unwrap() else { panic!() };
    assert_eq!(page.items[0].get("body"), Some(&Value::Text("hello".into())));
    let none = run(&store, "messages.find", vec![id.clone(), Value::Text("nosuch".into())]).unwrap();
    assert_eq!(none, Value::Null);

    // An update tells "leave it" from "empty it".
    let update =
        |json| run(&store, "sessions.update", vec![id.clone(), input("sessions.update", "update", json)]);
    let with_phone = record(update(r#"{"phone":"12025550100"}"#).unwrap());
    assert_eq!(with_phone.get("phone"), Some(&Value::Text("12025550100".into())));
    assert_eq!(record(update("{}").unwrap()).get("phone"), with_phone.get("phone"));
    assert_eq!(record(update(r#"{"phone":null}"#).unwrap()).get("phone"), Some(&Value::Null));
    assert!(
        Record::from_json(crate::record::shape_of::<crate::SessionUpdate>(), r#"{"name":null}"#).is_err()
    );

    // A ticket answers with the same value.
    let args = vec![id.clone(), input("messages.save", "message", message)];
    let Call::Write(pending) = verb("messages.save").call(&store, args).unwrap() else { panic!() };
    assert_eq!(record(pending.submit().unwrap().wait().unwrap()).get("is_new"), Some(&Value::Bool(false)));
}

#[test]
fn bad_arguments_name_themselves() {
    let store = Store::in_memory().unwrap();
    let column = |path: &str, args| {
        let e = run(&store, path, args).unwrap_err();
        assert_eq!((e.kind(), e.operation()), (Kind::InvalidArgument, Some(verb(path).path)), "{e}");
        e.context("column").unwrap_or_default().to_owned()
    };
    assert_eq!(column("sessions.get", vec![]), "id");
    assert_eq!(column("sessions.get", vec![Value::Text("x".into())]), "id");
    assert_eq!(column("sessions.create", vec![]), "session");
    assert_eq!(column("sessions.create", vec![input("sessions.create", "session", "{}")]), "name");
    assert_eq!(
        column("sessions.transition", vec![Value::Uuid(Uuid::nil()), Value::Text("awake".into())]),
        "to"
    );
    let e = run(&store, "store.status", vec![Value::Null]).unwrap_err();
    assert!(e.message().contains("takes 0 arguments"), "{e}");
    let mut record = Record::empty(crate::record::shape_of::<crate::NewSession>());
    assert_eq!(record.set(99, Value::Null).unwrap_err().kind(), Kind::InvalidArgument);
    assert_eq!(record.put("name", Value::Int(1)).unwrap_err().context("column"), Some("name"));
    let half = Value::Text(Text::from_utf16(&[0xD83D]));
    assert_eq!(column("api_keys.find", vec![half]), "key");
}

#[test]
fn long_verbs_tell_progress_and_stop() {
    let store = Store::in_memory().unwrap();
    let dir = std::env::temp_dir().join(format!("openwa-face-{}", Uuid::now_v7()));
    std::fs::create_dir(&dir).unwrap();
    let path = Value::Text(dir.join("export.json").display().to_string().into());
    let Call::Long(export) = verb("store.export_file").call(&store, vec![path.clone()]).unwrap() else {
        panic!()
    };
    let mut heard = 0;
    let report = record(
        export(&mut |_| {
            heard += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap(),
    );
    assert!(heard > 0 && matches!(report.get("sha256"), Some(Value::Text(_))));
    let Call::Long(import) = verb("store.import_file").call(&store, vec![path]).unwrap() else { panic!() };
    let stopped = import(&mut |_| std::ops::ControlFlow::Break(())).unwrap_err();
    assert_eq!(stopped.kind(), Kind::Cancelled);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn rules_run_without_a_store() {
    let ask = input("policy.decide", "ask", r#"{"permission":"messages:read","ip":"203.0.113.7"}"#);
    let rules = input(
        "policy.decide",
        "rules",
        r#"{"permissions":["messages:read"],"whitelist":[{"ip_address":"203.0.113.8"}]}"#,
    );
    let decided = verb("policy.decide").call_pure(vec![Value::Time(Timestamp::EPOCH), rules, ask]).unwrap();
    assert_eq!(decided, Value::Text("ip_denied".into()));
    assert_eq!(verb("store.status").call_pure(vec![]).unwrap_err().kind(), Kind::Unsupported);
}

#[test]
fn options_open_a_store() {
    let options = |json: &str| Record::from_json(super::open_options(), json);
    let config = |json: &str| super::config(options(json).unwrap());
    let all = config(
        r#"{"dir":"d","data":"x.sqlite","api_key_pepper":"p","history":false,"durability":"normal","queue":7}"#,
    );
    let all = all.unwrap();
    assert_eq!(all.data, crate::DataDatabase::SqliteFile("x.sqlite".into()));
    assert_eq!((all.history, all.durability, all.queue), (false, crate::Durability::Normal, 7));
    assert!(super::open(options("{}").unwrap()).is_ok(), "in memory");
    assert_eq!(options(r#"{"folder":"d"}"#).unwrap_err().context("column"), Some("folder"));
    assert_eq!(config(r#"{"from_env":true}"#).unwrap_err().context("column"), Some("dir"));
    #[cfg(feature = "postgres")]
    assert!(matches!(
        config(r#"{"data":"postgres://u@h/d"}"#).unwrap().data,
        crate::DataDatabase::Postgres(_)
    ));
}
