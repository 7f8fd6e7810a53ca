//! Names and types as TypeScript writes them.

use openwa_store::face::{Field, Shape, Type, Verb, VerbKind};

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

/// The name of a parameter, which must not be a word of the language.
pub fn param(snake: &str) -> String {
    match snake {
        "new" => "values".into(),
        "with" => "changes".into(),
        other => camel(other),
    }
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
        Type::Int if way == Way::In => "number | bigint".into(),
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

/// The type of a field, with null where that is a value.
pub fn field_type(field: &Field, way: Way, prefix: &str) -> String {
    let ty = ts(&field.ty, way, prefix);
    // `unknown` holds null already.
    if field.nullable && ty != "unknown" { format!("{ty} | null") } else { ty }
}

/// A documentation comment.
pub fn doc(text: &str, limit: Option<usize>, indent: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(|l| l.trim().replace("*/", "*\\/")).collect();
    if let (Some(limit), Some(last)) = (limit, lines.last_mut()) {
        last.push_str(&format!(" At most {limit} characters."));
    }
    match lines.as_slice() {
        [] => String::new(),
        [one] => format!("{indent}/** {one} */\n"),
        many => {
            let body: String = many.iter().map(|l| format!("{indent} * {l}").trim_end().to_owned() + "\n").collect();
            format!("{indent}/**\n{body}{indent} */\n")
        }
    }
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
