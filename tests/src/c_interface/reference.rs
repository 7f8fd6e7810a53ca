use openwa_store::face::{Field, Type, enums, prose, shapes};

use super::Generated;

/// Every record and every list of names, for the readers of any language's guide.
pub(super) fn file() -> Generated {
    let mut content = String::from(
        "# Records\n\n\
         What goes in and out, in every language; Node writes the names in camel case. Generated from the library's \
         description\nof itself; `BLESS=1 cargo test -p openwa-tests --test c_interface` renews it.\n\n\
         **!** must be given. **?** may be null. Times are instants with millisecond precision, durations are \
         milliseconds.\n\n## Names\n",
    );
    for list in enums() {
        content.push_str(&format!("\n### {}\n\n{}\n\n", list.name, line(list.doc)));
        for (value, doc) in list.values.iter().zip(list.docs) {
            content.push_str(&format!("- `{value}`: {}\n", line(doc)));
        }
    }
    content.push_str("\n## Records\n");
    for shape in shapes() {
        content.push_str(&format!(
            "\n### {}\n\n{}\n\n| | type | |\n|---|---|---|\n",
            shape.name,
            line(shape.doc)
        ));
        for field in shape.fields {
            content.push_str(&row(field));
        }
    }
    Generated { path: "docs/records.md", content }
}

fn row(field: &Field) -> String {
    let mark = match (field.required, field.nullable) {
        (true, _) => " **!**",
        (false, true) => " **?**",
        (false, false) => "",
    };
    let limit = field.limit.map_or(String::new(), |n| format!(", at most {n} characters"));
    let secret = if field.secret { ", secret" } else { "" };
    format!("| `{}`{mark} | {}{limit}{secret} | {} |\n", field.name, kind(&field.ty), line(field.doc))
}

fn kind(ty: &Type) -> String {
    match ty {
        Type::Unit => "nothing".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Int => "integer".to_owned(),
        Type::Float => "number".to_owned(),
        Type::Text => "text".to_owned(),
        Type::Json => "JSON".to_owned(),
        Type::Time => "time".to_owned(),
        Type::Duration => "duration".to_owned(),
        Type::Uuid => "UUID".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        Type::Enum(list) => link(list.name),
        Type::Record(shape) => link(shape.name),
        Type::Page(shape) => format!("page of {}", link(shape.name)),
        Type::List(item) => format!("list of {}", kind(item)),
    }
}

fn link(name: &str) -> String {
    format!("[{name}](#{})", name.to_lowercase())
}

fn line(doc: &str) -> String {
    prose(doc).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace("`None`", "null")
}
