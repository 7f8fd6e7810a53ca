//! Pieces of a stub.

use std::fmt::Write;

use openwa_store::face::{EnumDef, Field, Shape, Type, Verb, VerbKind, prose};
use openwa_store::{Kind, face};

use crate::surface::{self, Param};

/// How types are written in one module.
#[derive(Clone, Copy)]
pub struct Names {
    /// In front of the package's own classes.
    pub own: &'static str,
}

impl Names {
    /// What may be given.
    fn taken(self, ty: &Type) -> String {
        let own = self.own;
        match ty {
            Type::Uuid => "UUID | str".to_owned(),
            Type::Bytes => "builtins.bytes | bytearray | memoryview".to_owned(),
            Type::Enum(list) => format!("{own}{} | str", list.name),
            Type::Record(shape) => format!("{own}{} | Mapping[str, Any]", shape.name),
            Type::List(item) => format!("Iterable[{}]", self.taken(item)),
            _ => self.made(ty, "builtins.list[_]"),
        }
    }

    /// What comes back; `list` is how lists are written, with `_` for the item.
    fn made(self, ty: &Type, list: &str) -> String {
        let own = self.own;
        match ty {
            Type::Unit => "None".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Int => "int".to_owned(),
            Type::Float => "float".to_owned(),
            Type::Text => "str".to_owned(),
            Type::Json => "Any".to_owned(),
            Type::Time => "datetime".to_owned(),
            Type::Duration => "timedelta".to_owned(),
            Type::Uuid => "UUID".to_owned(),
            Type::Bytes => "builtins.bytes".to_owned(),
            Type::Enum(list) => format!("{own}{}", list.name),
            Type::Record(shape) => format!("{own}{}", shape.name),
            Type::Page(shape) => format!("{own}Page[{own}{}]", shape.name),
            Type::List(item) => list.replace('_', &self.made(item, list)),
        }
    }

    fn param(self, p: &Param) -> String {
        let mut ty = if p.is_path() { "str | os.PathLike[str]".to_owned() } else { self.taken(p.ty) };
        let default = match (p.required, p.empties) {
            (true, _) => "",
            (false, true) => " = ...",
            (false, false) => " = None",
        };
        if (p.nullable || !p.required) && ty != "Any" {
            ty.push_str(" | None");
        }
        format!("{}: {ty}{default}", p.name)
    }

    /// A field as an argument of its record's constructor.
    pub fn option(self, field: &'static Field) -> String {
        self.param(&surface::param(field, (0, Some(0))))
    }

    /// A verb; `first` is `self` for a method.
    pub fn verb(self, verb: &'static Verb, first: Option<&str>, is_async: bool) -> String {
        let mut result = self.made(&verb.result, "builtins.list[_]");
        if verb.nullable {
            result.push_str(" | None");
        }
        let mut params = self.params(&surface::params(verb), first);
        if verb.kind() == VerbKind::Long {
            if !params.iter().any(|p| p == "*") {
                params.push("*".to_owned());
            }
            params.push("progress: Callable[[str, int, int | None], object] | None = None".to_owned());
        }
        let mut doc = prose(verb.doc);
        if verb.kind() == VerbKind::Long {
            doc.push_str(
                "\n\n`progress` is called with the table, its rows that are done, and all its rows where that is known. \
                 It stops the call by returning `False` or by raising.",
            );
        }
        function(&surface::safe(verb.name), &params, &result, &doc, first.is_some(), is_async)
    }

    /// The iterator beside a list.
    pub fn iterator(self, verb: &'static Verb, is_async: bool) -> Option<String> {
        let name = surface::iterator_name(verb)?;
        let Type::Page(shape) = verb.result else { return None };
        let params = self.params(&surface::iterator_params(verb), Some("self"));
        let result = format!("{}Iterator[{}{}]", if is_async { "Async" } else { "" }, self.own, shape.name);
        Some(function(&name, &params, &result, &surface::iterator_doc(verb), true, false))
    }

    fn params(self, params: &[Param], first: Option<&str>) -> Vec<String> {
        let mut out: Vec<String> = first.map(str::to_owned).into_iter().collect();
        let mut starred = false;
        for p in params {
            if p.keyword_only && !std::mem::replace(&mut starred, true) {
                out.push("*".to_owned());
            }
            out.push(self.param(p));
        }
        out
    }
}

fn function(
    name: &str,
    params: &[String],
    result: &str,
    doc: &str,
    in_class: bool,
    is_async: bool,
) -> String {
    let pad = if in_class { "    " } else { "" };
    let def = if is_async { "async def" } else { "def" };
    let one_line = format!("{pad}{def} {name}({}) -> {result}:", params.join(", "));
    let mut out = if one_line.len() <= 100 {
        one_line
    } else {
        let lines: String = params.iter().map(|p| format!("{pad}    {p},\n")).collect();
        format!("{pad}{def} {name}(\n{lines}{pad}) -> {result}:")
    };
    out.push('\n');
    out.push_str(&docstring(doc, &format!("{pad}    ")));
    out
}

/// A documentation string. The lines of a paragraph are broken anew; those of a list stay.
pub fn docstring(doc: &str, pad: &str) -> String {
    let mut lines = Vec::new();
    for (i, paragraph) in doc.trim().split("\n\n").enumerate() {
        if i > 0 {
            lines.push(String::new());
        }
        for item in paragraph.replace("\n* ", "\0* ").replace("\n- ", "\0- ").split('\0') {
            wrap(item, 96 - pad.len(), &mut lines);
        }
    }
    let body = lines.join(&format!("\n{pad}")).replace('\\', "\\\\").replace(&format!("\n{pad}\n"), "\n\n");
    if lines.len() == 1 {
        format!("{pad}\"\"\"{body}\"\"\"\n")
    } else {
        format!("{pad}\"\"\"{body}\n{pad}\"\"\"\n")
    }
}

fn wrap(text: &str, width: usize, lines: &mut Vec<String>) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + word.chars().count() + 1 > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
}

pub fn enumeration(list: &EnumDef) -> String {
    let mut out = format!("class {}(_StrEnum):\n{}\n", list.name, docstring(&prose(list.doc), "    "));
    for (value, doc) in list.values.iter().zip(list.docs) {
        let _ = writeln!(out, "    {} = \"{value}\"", surface::member(value));
        if !doc.is_empty() {
            out.push_str(&docstring(&prose(doc), "    "));
        }
    }
    out
}

pub fn error(kind: Kind) -> String {
    let builtin = surface::expected_base(kind).map(|b| format!(", builtins.{b}")).unwrap_or_default();
    let doc = docstring(kind.doc(), "    ");
    format!("class {}(Error{builtin}):\n{doc}", surface::error_class(kind))
}

pub fn record(shape: &'static Shape, names: Names) -> String {
    let mut out = format!("class {}(Record):\n{}\n", shape.name, docstring(&prose(shape.doc), "    "));
    out.push_str("    def __new__(\n        cls,\n        *,\n");
    for field in shape.fields {
        let _ = writeln!(out, "        {},", names.option(field));
    }
    out.push_str("    ) -> Self: ...\n");
    for field in shape.fields {
        let mut ty = names.made(&field.ty, "tuple[_, ...]");
        if field.nullable && ty != "Any" {
            ty.push_str(" | None");
        }
        let doc = docstring(&prose(field.doc), "        ");
        let _ = write!(out, "    @property\n    def {}(self) -> {ty}:\n{doc}", surface::safe(field.name));
    }
    out
}

/// A class of verbs, without its `Store`.
pub fn group(class: &str, base: &str, doc: &str, body: &str) -> String {
    format!("class {class}({base}):\n{}\n{body}", docstring(doc, "    "))
}

pub fn shapes() -> Vec<&'static Shape> {
    let mut shapes = face::shapes();
    shapes.sort_by_key(|s| s.name);
    shapes
}

pub fn enums() -> Vec<&'static EnumDef> {
    let mut enums = face::enums();
    enums.sort_by_key(|e| e.name);
    enums
}
