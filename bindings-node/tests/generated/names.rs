//! Names and types as TypeScript writes them.

use openwa_store::Kind;
use openwa_store::face::{self, Field, Shape, Type, VERBS, Verb, VerbKind};

/// The shape that arrives as an `OpenWAError`.
pub const FAILURE: &str = "Failure";

/// Where a value is on its way to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

pub fn camel(snake: &str) -> String {
    let mut up = false;
    let each = snake.chars().filter_map(|c| {
        let this = up;
        up = c == '_';
        if up { None } else { Some(if this { c.to_ascii_uppercase() } else { c }) }
    });
    each.collect()
}

pub fn pascal(snake: &str) -> String {
    let name = camel(snake);
    name[..1].to_uppercase() + &name[1..]
}

/// A type; `prefix` stands before the names that `types.ts` declares.
pub fn ts(ty: &Type, way: Way, prefix: &str) -> String {
    match ty {
        Type::Unit => "void".into(),
        Type::Bool => "boolean".into(),
        Type::Int | Type::Float | Type::Duration => "number".into(),
        Type::Text | Type::Uuid => "string".into(),
        Type::Json if way == Way::In => "unknown".into(),
        Type::Json => format!("{prefix}Json"),
        Type::Time => "Date".into(),
        Type::Bytes => (if way == Way::In { "Uint8Array" } else { "Buffer" }).into(),
        Type::Enum(list) => format!("{prefix}{}", list.name),
        Type::Record(shape) if shape.name == FAILURE => "OpenWAError".into(),
        Type::Record(shape) => format!("{prefix}{}", shape.name),
        Type::List(item) => {
            let item = ts(item, way, prefix);
            if item.contains(' ') { format!("({item})[]") } else { format!("{item}[]") }
        }
        Type::Page(shape) => format!("Page<{prefix}{}>", shape.name),
    }
}

/// JSON columns whose form the library checks.
const KNOWN_JSON: &[(&str, &str, &str)] = &[
    ("permissions", "", "Permission[]"),
    ("events", "", "WebhookEvent[]"),
    ("allowed_sessions", "string[]", ""),
    ("allowed_chats", "string[]", ""),
    ("headers", "Record<string, string>", ""),
];

/// The type of a field, with null where that is a value.
pub fn field_type(field: &Field, way: Way, prefix: &str) -> String {
    let known = KNOWN_JSON.iter().find(|(name, ..)| matches!(field.ty, Type::Json) && *name == field.name);
    let ty = match known {
        Some((_, own, "")) => (*own).to_owned(),
        Some((_, _, declared)) => format!("{prefix}{declared}"),
        None => ts(&field.ty, way, prefix),
    };
    // `unknown` holds null already.
    if field.nullable && ty != "unknown" { format!("{ty} | null") } else { ty }
}

/// A documentation comment.
pub fn doc(text: &str, way: Way, indent: &str) -> String {
    let text = plain(text, way);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    match lines.as_slice() {
        [] => String::new(),
        [one] => format!("{indent}/** {one} */\n"),
        many => {
            let body: String =
                many.iter().map(|l| format!("{indent} * {l}").trim_end().to_owned() + "\n").collect();
            format!("{indent}/**\n{body}{indent} */\n")
        }
    }
}

/// The comment of a field: what it holds, its unit and its limit.
pub fn field_doc(field: &Field, way: Way, indent: &str) -> String {
    let mut text = field.doc.to_owned();
    if matches!(field.ty, Type::Duration) {
        text.push_str(" In milliseconds.");
    }
    if let (Some(limit), Way::In) = (field.limit, way)
        && !text.contains(&limit.to_string())
    {
        text.push_str(&format!(" At most {limit} characters."));
    }
    doc(&text, way, indent)
}

/// The library's documentation in the words of JavaScript: names in camel case, errors by their code, `None` as what it
/// is there.
fn plain(text: &str, way: Way) -> String {
    let none = if way == Way::In { "not given" } else { "null" };
    let text =
        face::prose(text).replace("`Some(None)`", "null").replace("`None`", none).replace("*/", "*\\/");
    let pieces = text.split('`').enumerate().map(|(i, piece)| {
        let is_code = i % 2 == 1;
        let kind = Kind::ALL.iter().find(|kind| is_code && format!("{kind:?}") == piece);
        match kind {
            Some(kind) => kind.name().to_owned(),
            None if is_code && is_name(piece) => camel(piece),
            None => piece.to_owned(),
        }
    });
    let text = pieces.collect::<Vec<_>>().join("`");
    text.replace(". not given", ". Not given").replace(". null:", ". Null:")
}

/// Whether JavaScript knows this by a name in camel case.
fn is_name(snake: &str) -> bool {
    let is_field = |s: &&Shape| s.fields.iter().any(|f| f.name == snake);
    VERBS.iter().any(|v| v.name == snake) || face::shapes().iter().any(is_field)
}

/// Filters and pages make many small arguments; JavaScript takes them, and whatever goes with them, as one object.
pub fn is_query(verb: &Verb) -> bool {
    let is_open = |f: &Field| match f.ty {
        Type::Record(shape) => shape.name == "PageRequest" || shape.name.ends_with("Filter"),
        _ => false,
    };
    verb.kind() == VerbKind::Read && verb.params.iter().any(is_open)
}

/// The records among a verb's parameters.
pub fn record_params(verb: &Verb) -> impl Iterator<Item = &'static Shape> {
    verb.params.iter().filter_map(|p| if let Type::Record(shape) = p.ty { Some(shape) } else { None })
}

/// The name of the one object that a query takes.
pub fn query_name(verb: &Verb) -> String {
    format!("{}{}Query", pascal(verb.group), pascal(verb.name))
}
