//! `codec.ts`: writers for the records that go in, readers for those that come out.

use std::collections::HashSet;

use openwa_store::face::{self, Field, Shape, Type, VERBS};

use crate::names::{FAILURE, camel};

pub fn render() -> String {
    let (mut writers, mut readers) = (Writers::default(), Readers::default());
    writers.follow(&Type::Record(face::open_options()));
    for verb in VERBS {
        verb.params.iter().for_each(|p| writers.follow(&p.ty));
        readers.follow(&verb.result);
    }
    format!(
        "import {{ bool, bytes, float, int, json, list, record, text, time }} from '../codec.js'\n\
         import {{ OpenWAError }} from '../error.js'\n\
         import type * as t from './types.js'\n\n\
         /* eslint-disable @typescript-eslint/no-explicit-any */\n{}{}",
        writers.out, readers.out
    )
}

/// The encoder of a type.
pub fn encoder(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".into(),
        Type::Int | Type::Duration => "int".into(),
        Type::Float => "float".into(),
        Type::Text | Type::Uuid | Type::Enum(_) => "text".into(),
        Type::Json => "json".into(),
        Type::Time => "time".into(),
        Type::Bytes => "bytes".into(),
        Type::Record(shape) => format!("write{}", shape.name),
        Type::List(item) => format!("list({})", encoder(item)),
        Type::Unit | Type::Page(_) => panic!("{ty:?} is nothing to take in"),
    }
}

/// The names of all encoders of `codec.ts` that a type needs.
pub fn writer_names(ty: &Type, found: &mut HashSet<String>) {
    match ty {
        Type::Record(shape) => drop(found.insert(format!("write{}", shape.name))),
        Type::List(item) => writer_names(item, found),
        _ => {}
    }
}

/// An expression that reads `value`.
fn read(ty: &Type, value: &str) -> String {
    match ty {
        Type::Json => format!("JSON.parse({value})"),
        Type::Time => format!("new Date({value})"),
        Type::Record(shape) => format!("read{}({value})", shape.name),
        Type::List(item) if is_plain(item) => value.to_owned(),
        Type::List(item) => format!("{value}.map((v: any) => {})", read(item, "v")),
        Type::Page(shape) => format!("({{ items: {value}[0].map(read{}), next: {value}[1] }})", shape.name),
        _ => value.to_owned(),
    }
}

/// A function that reads a result; `None`: it is what it is.
pub fn reader(ty: &Type, nullable: bool) -> Option<String> {
    if is_plain(ty) {
        return None;
    }
    let value = read(ty, "v");
    Some(if nullable {
        format!("(v: any) => (v === null ? null : {value})")
    } else {
        format!("(v: any) => {value}")
    })
}

/// Whether a value needs no reading.
fn is_plain(ty: &Type) -> bool {
    match ty {
        Type::Json | Type::Time | Type::Record(_) | Type::Page(_) => false,
        Type::List(item) => is_plain(item),
        _ => true,
    }
}

#[derive(Default)]
struct Writers {
    seen: HashSet<&'static str>,
    out: String,
}

impl Writers {
    fn follow(&mut self, ty: &Type) {
        match ty {
            Type::Record(shape) if self.seen.insert(shape.name) => {
                shape.fields.iter().for_each(|f| self.follow(&f.ty));
                let member = |f: &Field| format!("  {}: {},\n", camel(f.name), encoder(&f.ty));
                let members: String = shape.fields.iter().map(member).collect();
                let name = shape.name;
                self.out
                    .push_str(&format!("\nexport const write{name} = record('{name}', {{\n{members}}})\n"));
            }
            Type::List(item) => self.follow(item),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Readers {
    seen: HashSet<&'static str>,
    out: String,
}

impl Readers {
    fn follow(&mut self, ty: &Type) {
        match ty {
            Type::Record(shape) | Type::Page(shape) if self.seen.insert(shape.name) => {
                shape.fields.iter().for_each(|f| self.follow(&f.ty));
                self.out.push_str(&if shape.name == FAILURE { failure(shape) } else { object(shape) });
            }
            Type::List(item) => self.follow(item),
            _ => {}
        }
    }
}

fn object(shape: &Shape) -> String {
    let member = |(i, f): (usize, &Field)| {
        let value = format!("v[{i}]");
        let read = read(&f.ty, &value);
        let read =
            if f.nullable && read != value { format!("{value} === null ? null : {read}") } else { read };
        format!("  {}: {read},\n", camel(f.name))
    };
    let members: String = shape.fields.iter().enumerate().map(member).collect();
    format!("\nexport const read{0} = (v: any): t.{0} => ({{\n{members}}})\n", shape.name)
}

/// An error among results is an error in JavaScript, too.
fn failure(shape: &Shape) -> String {
    let at = |name: &str| shape.fields.iter().position(|f| f.name == name).expect("a field of an error");
    format!(
        "\nexport const readFailure = (v: any): OpenWAError =>\n  new OpenWAError(v[{}], v[{}], {{ retryable: v[{}], context: JSON.parse(v[{}]) }})\n",
        at("kind"),
        at("message"),
        at("retryable"),
        at("context")
    )
}
