//! How a verb looks in Python: its parameters, their names and defaults. The module and the generator of the stubs
//! both read it, so what is described is what runs.

use std::collections::BTreeMap;

use openwa_store::Kind;
use openwa_store::face::{Field, Type, VERBS, Verb, VerbKind};

/// One parameter of a Python function.
pub struct Param {
    pub name: String,
    /// Its name in the library.
    pub field: &'static str,
    pub ty: &'static Type,
    pub required: bool,
    /// `None` is a value of it.
    pub nullable: bool,
    /// In an update: `None` empties the column, which is something else than leaving it out.
    pub empties: bool,
    pub keyword_only: bool,
    /// Which argument of the verb it is, and which field of that.
    pub at: (usize, Option<usize>),
}

impl Param {
    /// A file of the host, for which Python has `os.PathLike`.
    pub fn is_path(&self) -> bool {
        self.field == "path" && self.at.1.is_none()
    }
}

/// The parameters of a verb. The fields of a record become keyword arguments of their own: `save(id, body="hello")`.
pub fn params(verb: &'static Verb) -> Vec<Param> {
    let mut params = Vec::new();
    for (i, given) in verb.params.iter().enumerate() {
        if let Type::Record(shape) = given.ty {
            params.extend(shape.fields.iter().enumerate().map(|(j, field)| Param {
                required: given.required && field.required,
                keyword_only: true,
                empties: field.nullable && shape.name.ends_with("Update"),
                ..param(field, (i, Some(j)))
            }));
        } else {
            params.push(param(given, (i, None)));
        }
    }
    // Python wants required ones first; those behind an optional one are given by name.
    let mut optional_seen = false;
    for p in params.iter_mut().filter(|p| !p.keyword_only) {
        optional_seen |= !p.required;
        p.keyword_only = p.required && optional_seen;
    }
    params.sort_by_key(|p| p.keyword_only);
    params
}

/// A field as a parameter.
pub fn param(field: &'static Field, at: (usize, Option<usize>)) -> Param {
    Param {
        name: safe(field.name),
        field: field.name,
        ty: &field.ty,
        required: field.required,
        nullable: field.nullable,
        empties: false,
        keyword_only: false,
        at,
    }
}

/// A list that comes in pages gets an iterator over all of it: `list` → `iterate`, `chats` → `iterate_chats`.
pub fn iterator_name(verb: &Verb) -> Option<String> {
    page_request(verb)?;
    Some(if verb.name == "list" { "iterate".to_owned() } else { format!("iterate_{}", verb.name) })
}

/// The parameters of that iterator: those of the list, but for the ones that say which page.
pub fn iterator_params(verb: &'static Verb) -> Vec<Param> {
    let page = page_request(verb);
    params(verb).into_iter().filter(|p| Some(p.at.0) != page).collect()
}

/// What that iterator does.
pub fn iterator_doc(verb: &Verb) -> String {
    format!(
        "Everything that `{}` lists, page by page, in constant memory. Rows that come or go meanwhile neither shift nor \
         repeat anything.",
        verb.name
    )
}

fn page_request(verb: &Verb) -> Option<usize> {
    if !matches!(verb.result, Type::Page(_)) {
        return None;
    }
    verb.params.iter().position(|p| matches!(p.ty, Type::Record(shape) if shape.name == "PageRequest"))
}

/// A name that is no keyword of Python.
pub fn safe(name: &str) -> String {
    const KEYWORDS: [&str; 35] = [
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
        "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in",
        "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    ];
    if KEYWORDS.contains(&name) { format!("{name}_") } else { name.to_owned() }
}

/// `api_keys` → `ApiKeys`, `NOT_FOUND` → `NotFound`.
pub fn pascal(name: &str) -> String {
    let word = |w: &str| {
        let (first, rest) = w.split_at(w.len().min(1));
        first.to_uppercase() + &rest.to_lowercase()
    };
    name.split('_').map(word).collect()
}

/// The name of an enum's member: `qr_ready` → `QR_READY`, `message.ack` → `MESSAGE_ACK`, `*` → `ALL`.
pub fn member(value: &str) -> String {
    if value == "*" {
        return "ALL".to_owned();
    }
    let name: String =
        value.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// The name of the exception class of a kind, from its stable name.
pub fn error_class(kind: Kind) -> String {
    pascal(kind.name()) + "Error"
}

/// The groups of a store and their verbs, by name; `store` holds those of the store itself.
pub fn groups() -> BTreeMap<&'static str, Vec<&'static Verb>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for verb in VERBS.iter().filter(|v| v.kind() != VerbKind::Pure) {
        groups.entry(verb.group).or_default().push(verb);
    }
    groups
}

/// The built-in exception by which Python people expect to catch a kind.
pub fn expected_base(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::InvalidArgument | Kind::InvalidData | Kind::InvalidTransition => "ValueError",
        Kind::NotFound => "KeyError",
        Kind::Timeout => "TimeoutError",
        Kind::PermissionDenied => "PermissionError",
        Kind::Unavailable => "ConnectionError",
        Kind::Io | Kind::DiskFull => "OSError",
        _ => return None,
    })
}

/// What the base of all exceptions says about itself.
pub const ERROR_DOC: &str = "What the store could not do; the base of one class per kind of error.

`code` is the kind's stable name, `retryable` tells whether the same call may succeed later, `operation` names the verb
that failed, and `context` says more about it: table, column, row, path ...";

/// What a group of verbs is about.
pub fn group_doc(group: &str) -> &'static str {
    match group {
        "messages" => {
            "Message history. Every verb accepts any address of a chat or person: phone or LID, with or without device."
        }
        "sessions" => "Sessions and their life.",
        "contacts" => "Contacts and the two addresses of a person.",
        "webhooks" => "Webhooks, their delivery log, idempotency.",
        "batches" => "Bulk jobs.",
        "auth" => "An engine's credentials.",
        "api_keys" => "API keys, their whitelists and the log of their use.",
        "audit" => "The audit trail.",
        _ => "",
    }
}

/// The rules, which need no store.
pub fn rules() -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().filter(|v| v.kind() == VerbKind::Pure)
}
