use openwa_store::face::{Field, Type, VERBS, Verb, VerbKind};

use super::Generated;

/// One parameter: its declarations, the argument it becomes, and its documentation.
struct Param {
    declarations: Vec<String>,
    argument: String,
    doc: String,
}

/// What comes out: declarations, the outputs to clear, how the answer is given, and documentation.
struct Answer {
    declarations: Vec<&'static str>,
    outputs: Vec<&'static str>,
    give: &'static str,
    doc: String,
}

pub(super) fn file() -> Generated {
    let mut content = String::from(
        "//! Every verb of the store and every rule as a function for C. Generated from `openwa_store::face`; `BLESS=1 cargo\n\
         //! test -p openwa-tests --test c_interface` renews it.\n\n\
         use std::ffi::{c_char, c_void};\n\n         use ::openwa_store::face::Value;\n\n\
         use crate::call::{self, openwa_progress_fn, verb};\n\
         use crate::error::openwa_error;\n\
         use crate::guard::{clear, guard};\n\
         use crate::record::openwa_record;\n\
         use crate::rows::openwa_rows;\n\
         use crate::store::openwa_store;\n\
         use crate::text::{openwa_bytes, openwa_str};\n",
    );
    for verb in VERBS {
        content.push_str(&function(verb));
    }
    Generated { path: "ffi/src/verbs.rs", content }
}

fn function(verb: &Verb) -> String {
    let params: Vec<Param> = verb.params.iter().map(param).collect();
    let answer = answer(verb);
    let mut declarations = Vec::new();
    if verb.kind() != VerbKind::Pure {
        declarations.push("store: *const openwa_store".to_owned());
    }
    declarations.extend(params.iter().flat_map(|p| p.declarations.iter().cloned()));
    if verb.kind() == VerbKind::Long {
        declarations.extend(["progress: openwa_progress_fn", "user: *mut c_void"].map(str::to_owned));
    }
    declarations.extend(answer.declarations.iter().map(|d| (*d).to_owned()));
    declarations.push("err: *mut *mut openwa_error".to_owned());

    let arguments: Vec<&str> = params.iter().map(|p| p.argument.as_str()).collect();
    let args = format!("vec![{}]", arguments.join(", "));
    let path = verb.path;
    let run = match verb.kind() {
        VerbKind::Pure => format!("call::rule(const {{ verb(\"{path}\") }}, {args})?"),
        VerbKind::Long => {
            format!("call::run_long(store, const {{ verb(\"{path}\") }}, {args}, progress, user)?")
        }
        _ if matches!(verb.result, Type::Page(_)) => {
            format!("call::page(store, const {{ verb(\"{path}\") }}, {args})?")
        }
        _ => format!("call::run(store, const {{ verb(\"{path}\") }}, {args})?"),
    };
    let clears: String = answer.outputs.iter().map(|out| format!("        clear({out});\n")).collect();
    let give = answer.give;
    format!(
        "\n{}#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn openwa_{}_{}(\n    {},\n) -> i32 {{\n    unsafe {{\n{clears}        \
         guard(err, || {{\n            let answer = {run};\n            {give}\n        }})\n    }}\n}}\n",
        documentation(verb, &params, &answer),
        verb.group,
        verb.name,
        declarations.join(",\n    "),
    )
}

fn documentation(verb: &Verb, params: &[Param], answer: &Answer) -> String {
    let prose = super::prose(verb.doc);
    // What can go wrong stands last, behind what goes in and out.
    let (what, errors): (Vec<&str>, Vec<&str>) = prose.split("\n\n").partition(|p| !p.starts_with("Errors:"));
    let mut text = super::comment(&what.join("\n\n"));
    let mut items: Vec<String> = params.iter().map(|p| p.doc.clone()).collect();
    if verb.kind() == VerbKind::Long {
        items.push("- `progress`: hears of the progress, with `user`; may be NULL.".to_owned());
    }
    if !answer.doc.is_empty() {
        items.push(answer.doc.clone());
    }
    if !items.is_empty() {
        text.push_str("///\n");
        items.iter().for_each(|item| super::wrap(&mut text, "  ", item));
    }
    if !errors.is_empty() {
        text.push_str("///\n");
        text.push_str(&super::comment(&errors.join("\n\n")));
    }
    text
}

fn param(field: &Field) -> Param {
    let name = field.name;
    let one = |name: String, ty: &str, argument: String, doc: String| Param {
        declarations: vec![format!("{name}: {ty}")],
        argument,
        doc: format!("- `{name}`: {doc}"),
    };
    let what = field.doc.strip_suffix('.').unwrap_or(field.doc);
    let text_doc = |note: &str| match field.required {
        true => format!("{what}{note}."),
        false => format!("{what}{note}; `NULL, 0` when not given."),
    };
    match field.ty {
        Type::Bool => one(name.into(), "bool", format!("Value::Bool({name})"), format!("{what}.")),
        Type::Float => one(name.into(), "f64", format!("Value::Float({name})"), format!("{what}.")),
        Type::Int | Type::Duration | Type::Time => {
            let unit = match field.ty {
                Type::Int => "",
                _ => "_ms",
            };
            let make = match field.ty {
                Type::Time => format!("|n| call::time(\"{name}\", n)"),
                _ => "|n| Ok(Value::Int(n))".to_owned(),
            };
            let note = match field.ty {
                Type::Time => ", in milliseconds since 1970",
                Type::Duration => ", in milliseconds",
                _ => "",
            };
            let arg = format!("{name}{unit}");
            if field.required {
                let argument = match field.ty {
                    Type::Time => format!("call::time(\"{name}\", {arg})?"),
                    _ => format!("Value::Int({arg})"),
                };
                one(arg, "i64", argument, format!("{what}{note}."))
            } else {
                let argument = format!("call::optional({arg}, {make})?");
                one(arg, "*const i64", argument, format!("{what}{note}; NULL when not given."))
            }
        }
        Type::Text => {
            one(name.into(), "openwa_str", format!("call::text(\"{name}\", {name})?"), text_doc(""))
        }
        Type::Enum(list) => {
            // A long list is told by its name; the guide has all of them.
            let names = if list.values.len() > 8 {
                format!(": {}", super::a(list.name))
            } else {
                format!(": `{}`", list.values.join("`, `"))
            };
            one(name.into(), "openwa_str", format!("call::text(\"{name}\", {name})?"), text_doc(&names))
        }
        Type::Uuid => one(
            name.into(),
            "openwa_str",
            format!("call::uuid(\"{name}\", {name})?"),
            text_doc(", a UUID as text"),
        ),
        Type::Json => {
            one(name.into(), "openwa_str", format!("call::json(\"{name}\", {name})?"), text_doc(", as JSON"))
        }
        Type::Bytes => {
            one(name.into(), "openwa_bytes", format!("call::bytes(\"{name}\", {name})?"), text_doc(""))
        }
        Type::Record(shape) => {
            let doc = match field.required {
                true => format!("{what}: {}.", super::a(shape.name)),
                false => format!("{what}: {}, or NULL.", super::a(shape.name)),
            };
            one(name.into(), "*const openwa_record", format!("call::record({name})?"), doc)
        }
        Type::List(item) => {
            let (ty, convert, kind) = match item {
                Type::Record(shape) => {
                    ("*const *const openwa_record", "records", format!("`{}`", shape.name))
                }
                Type::Text => ("*const openwa_str", "texts", "texts".to_owned()),
                other => panic!("{name}: a list of {other} has no form in C yet"),
            };
            Param {
                declarations: vec![format!("{name}: {ty}"), format!("{name}_len: usize")],
                argument: format!("call::{convert}(\"{name}\", {name}, {name}_len)?"),
                doc: format!("- `{name}`, `{name}_len`: {what}: {kind}."),
            }
        }
        Type::Unit | Type::Page(_) => panic!("{name}: a parameter cannot be {}", field.ty),
    }
}

fn answer(verb: &Verb) -> Answer {
    let or_null = if verb.nullable { ", or NULL when there is none" } else { "" };
    let one = |declaration, give, doc: String| Answer {
        declarations: vec![declaration],
        outputs: vec!["out"],
        give,
        doc: format!("- `out`: {doc}"),
    };
    match verb.result {
        Type::Unit => Answer {
            declarations: Vec::new(),
            outputs: Vec::new(),
            give: "call::nothing(answer)",
            doc: String::new(),
        },
        Type::Bool => one("out: *mut bool", "call::give_bool(out, answer)", "the answer.".to_owned()),
        Type::Int | Type::Duration | Type::Time if verb.nullable => Answer {
            declarations: vec!["out: *mut i64", "out_is_null: *mut bool"],
            outputs: vec!["out", "out_is_null"],
            give: "call::give_optional(out, out_is_null, answer)",
            doc: format!(
                "- `out`, `out_is_null`: the answer{}; `out_is_null` is true when there is none.",
                unit(&verb.result)
            ),
        },
        Type::Int | Type::Duration | Type::Time => {
            one("out: *mut i64", "call::give_i64(out, answer)", format!("the answer{}.", unit(&verb.result)))
        }
        Type::Enum(list) => {
            let names = if list.values.len() > 8 {
                list.name.to_owned()
            } else {
                format!("`{}`", list.values.join("`, `"))
            };
            one(
                "out: *mut *const c_char",
                "call::give_name(out, answer)",
                format!("a static string: {names}."),
            )
        }
        Type::Text => one(
            "out: *mut *mut c_char",
            "call::give_text(out, answer)",
            format!("the answer{or_null}; free it with `openwa_string_free`."),
        ),
        Type::Record(shape) => one(
            "out: *mut *mut openwa_record",
            "call::give_record(out, answer)",
            format!("{}{or_null}; free it with `openwa_record_free`.", super::a(shape.name)),
        ),
        Type::Page(shape) => one(
            "out: *mut *mut openwa_rows",
            "call::give_page(out, answer)",
            format!("a page of `{}`; free it with `openwa_rows_free`.", shape.name),
        ),
        Type::List(item) => {
            let items = match item {
                Type::Record(shape) => format!("`{}`", shape.name),
                _ => "texts".to_owned(),
            };
            one(
                "out: *mut *mut openwa_rows",
                "call::give_rows(out, answer)",
                format!("a list of {items}; free it with `openwa_rows_free`."),
            )
        }
        Type::Float | Type::Json | Type::Bytes | Type::Uuid => {
            panic!("{}: {} has no form in C as an answer yet", verb.path, verb.result)
        }
    }
}

fn unit(ty: &Type) -> &'static str {
    match ty {
        Type::Time => ", in milliseconds since 1970",
        Type::Duration => ", in milliseconds",
        _ => "",
    }
}
