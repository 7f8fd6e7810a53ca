//! `types.ts`: what goes in and out.

use std::collections::HashSet;

use openwa_store::Kind;
use openwa_store::face::{self, Field, Shape, Type, VERBS};

use crate::names::{FAILURE, Way, camel, doc, field_doc, field_type, is_query, query_name, record_params};

pub fn render() -> String {
    let mut out = String::from("import type { OpenWAError } from '../error.js'\n\n");
    out.push_str("/** What a JSON column may hold. */\n");
    out.push_str(
        "export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }\n\n",
    );
    out.push_str("/** What can go wrong. */\nexport type ErrorCode =\n");
    Kind::ALL.iter().for_each(|kind| out.push_str(&format!("  | '{}'\n", kind.name())));
    for list in face::enums() {
        out.push('\n');
        let each = list.values.iter().zip(list.docs).map(|(value, doc)| format!("* `{value}`: {doc}"));
        out.push_str(&doc(&format!("{}\n\n{}", list.doc, each.collect::<Vec<_>>().join("\n")), Way::Out, ""));
        let values: Vec<String> = list.values.iter().map(|v| format!("'{v}'")).collect();
        out.push_str(&format!("export type {} = {}\n", list.name, values.join(" | ")));
    }
    let inputs = inputs();
    let open = face::open_options();
    for shape in face::shapes().into_iter().filter(|s| ![FAILURE, open.name].contains(&s.name)) {
        let way = if inputs.contains(shape.name) { Way::In } else { Way::Out };
        out.push_str(&format!("\n{}export interface {} {{\n", doc(shape.doc, way, ""), shape.name));
        shape.fields.iter().for_each(|f| out.push_str(&member(f, way)));
        out.push_str("}\n");
    }
    // The facade has a word of its own for a store in memory, and a function for the environment.
    out.push_str(&format!("\n{}export interface OpenOptions {{\n", doc(open.doc, Way::In, "")));
    let dir = "The folder of the store, made if it is missing; default `./data`.";
    out.push_str(&format!("  /** {dir} */\n  dir?: string\n"));
    out.push_str(
        "  /** Everything in memory, gone when the store is closed. For tests. */\n  memory?: boolean\n",
    );
    let others = open.fields.iter().filter(|f| !["dir", "from_env"].contains(&f.name));
    others.for_each(|f| out.push_str(&member(f, Way::In)));
    out.push_str("}\n");
    for verb in VERBS.iter().filter(|v| is_query(v)) {
        let records: Vec<&str> = record_params(verb).map(|s| s.name).collect();
        out.push_str(&format!("\n/** What `{}.{}` takes. */\n", camel(verb.group), camel(verb.name)));
        out.push_str(&format!("export interface {} extends {} {{", query_name(verb), records.join(", ")));
        let scalars: Vec<String> = verb
            .params
            .iter()
            .filter(|p| !matches!(p.ty, Type::Record(_)))
            .map(|p| member(p, Way::In))
            .collect();
        out.push_str(&if scalars.is_empty() {
            "}\n".to_owned()
        } else {
            format!("\n{}}}\n", scalars.concat())
        });
    }
    out
}

/// The names of the records that are taken in. One that also comes out would need two types.
fn inputs() -> HashSet<&'static str> {
    let (mut taken, mut given) = (HashSet::new(), HashSet::new());
    for verb in VERBS {
        verb.params.iter().for_each(|p| reach(&p.ty, &mut taken));
        reach(&verb.result, &mut given);
    }
    let both: Vec<_> = taken.intersection(&given).collect();
    assert!(both.is_empty(), "{both:?} go in and come out");
    taken
}

fn reach(ty: &Type, found: &mut HashSet<&'static str>) {
    match ty {
        Type::Record(shape) | Type::Page(shape) => {
            let shape: &'static Shape = shape;
            if found.insert(shape.name) {
                shape.fields.iter().for_each(|f| reach(&f.ty, found));
            }
        }
        Type::List(item) => reach(item, found),
        _ => {}
    }
}

fn member(field: &Field, way: Way) -> String {
    let mark = if way == Way::In && !field.required { "?" } else { "" };
    let ty = field_type(field, way, "");
    format!("{}  {}{mark}: {ty}\n", field_doc(field, way, "  "), camel(field.name))
}
