//! `groups.ts`: one class per group of verbs, and the rules.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use openwa_store::face::{Type, VERBS, Verb, VerbKind};

use crate::codec::{encoder, reader, writer_names};
use crate::names::{Way, camel, doc, field_type, is_query, pascal, query_name, record_params, ts};

pub fn render() -> String {
    let mut out = imports();
    for verb in VERBS {
        let make = if is_query(verb) { "query" } else { "verb" };
        let params: Vec<String> =
            verb.params.iter().map(|p| format!("['{}', {}]", camel(p.name), encoder(&p.ty))).collect();
        let read = reader(&verb.result, verb.nullable).unwrap_or_else(|| "same".into());
        let of = answer(verb);
        let _ = writeln!(
            out,
            "const {} = {make}<{of}>('{}', [{}], {read})",
            constant(verb),
            verb.path,
            params.join(", ")
        );
    }
    let groups: Vec<&str> = groups().into_iter().filter(|g| !["store", "policy"].contains(g)).collect();
    for group in &groups {
        class(&mut out, group);
    }
    out.push_str("\n/** The verbs of an open store, group by group. */\n");
    out.push_str("export abstract class Groups extends Group {\n");
    for group in &groups {
        let _ = writeln!(out, "  readonly {}: {}", camel(group), pascal(group));
    }
    out.push_str("\n  /** @internal */\n  constructor(handle: Handle) {\n    super(handle)\n");
    for group in &groups {
        let _ = writeln!(out, "    this.{} = new {}(handle)", camel(group), pascal(group));
    }
    out.push_str("  }\n");
    verbs_of("store").for_each(|v| method(&mut out, v));
    out.push_str("}\n");
    rules(&mut out);
    out
}

fn groups() -> Vec<&'static str> {
    let mut out = Vec::new();
    for verb in VERBS {
        if !out.contains(&verb.group) {
            out.push(verb.group);
        }
    }
    out
}

fn verbs_of(group: &str) -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().filter(move |v| v.group == group)
}

fn imports() -> String {
    let (mut writers, mut readers) = (HashSet::new(), String::new());
    for verb in VERBS {
        verb.params.iter().for_each(|p| writer_names(&p.ty, &mut writers));
        readers.push_str(&reader(&verb.result, verb.nullable).unwrap_or_default());
    }
    let read_names = readers.split(|c: char| !c.is_alphanumeric()).filter(|w| w.starts_with("read"));
    let names: BTreeSet<String> = read_names.map(str::to_owned).chain(writers).collect();
    format!(
        "import {{ authorizeSync }} from '../authorize.js'\n\
         import {{ bool, bytes, float, int, json, list, same, text, time }} from '../codec.js'\n\
         import type {{ OpenWAError }} from '../error.js'\n\
         import {{ Group, type Page }} from '../group.js'\n\
         import type {{ Handle }} from '../native.js'\n\
         import {{ callPure, query, verb, type LongOptions }} from '../runtime.js'\n\
         import {{ {} }} from './codec.js'\n\
         import type * as t from './types.js'\n\n\
         /* eslint-disable @typescript-eslint/no-explicit-any */\n\n",
        names.into_iter().collect::<Vec<_>>().join(", ")
    )
}

fn constant(verb: &Verb) -> String {
    camel(&format!("{}_{}", verb.group, verb.name))
}

fn answer(verb: &Verb) -> String {
    let ty = ts(&verb.result, Way::Out, "t.");
    if verb.nullable { format!("{ty} | null") } else { ty }
}

fn class(out: &mut String, group: &str) {
    let _ = writeln!(
        out,
        "\n/** See `store.{}`. */\nexport class {} extends Group {{",
        camel(group),
        pascal(group)
    );
    let mut first = true;
    for verb in verbs_of(group) {
        if !std::mem::take(&mut first) {
            out.push('\n');
        }
        method(out, verb);
    }
    out.push_str("}\n");
}

fn method(out: &mut String, verb: &Verb) {
    let name = camel(verb.name);
    let of = answer(verb);
    let constant = constant(verb);
    let docs = doc(verb.doc, Way::In, "  ");
    if is_query(verb) {
        let optional = !verb.params.iter().any(|p| p.required)
            && record_params(verb).all(|s| s.fields.iter().all(|f| !f.required));
        let default = if optional { " = {}" } else { "" };
        let query = query_name(verb);
        let _ = write!(
            out,
            "{docs}  {name}(query: t.{query}{default}): Promise<{of}> {{\n    return this.run({constant}, [query])\n  }}\n"
        );
        if let (Type::Page(shape), "list") = (&verb.result, verb.name) {
            let item = shape.name;
            let _ = write!(
                out,
                "\n  /** Every row of {{@link {name}}}, in constant memory; `limit` is how many are fetched at a time. */\n  \
                 iterate(query: t.{query}{default}): AsyncGenerator<t.{item}, void, undefined> {{\n    \
                 return this.walk({constant}, query)\n  }}\n"
            );
        }
        return;
    }
    let (given, names) = (parameters(verb), arguments(verb));
    if verb.kind() == VerbKind::Long {
        let given = if given.is_empty() { String::new() } else { format!("{given}, ") };
        let _ = write!(
            out,
            "{docs}  {name}({given}control?: LongOptions): Promise<{of}> {{\n    return this.runLong({constant}, [{names}], control)\n  }}\n"
        );
        return;
    }
    let _ = write!(
        out,
        "{docs}  {name}({given}): Promise<{of}> {{\n    return this.run({constant}, [{names}])\n  }}\n"
    );
    if verb.path == "api_keys.authorize" {
        let _ = write!(
            out,
            "\n  /** {{@link {name}}} on this thread, for where a host cannot await: microseconds. The record is shared; it is frozen. */\n  \
             {name}Sync({given}): {of} {{\n    return {name}Sync(this.handle, {names})\n  }}\n"
        );
    }
}

/// The parameters of a method. One that may be left out cannot stand before one that must be given.
fn parameters(verb: &Verb) -> String {
    let last = verb.params.iter().rposition(|p| p.required);
    let each = verb.params.iter().enumerate().map(|(i, p)| {
        let ty = field_type(p, Way::In, "t.");
        let name = camel(p.name);
        match (p.required, last.is_some_and(|last| i < last)) {
            (true, _) => format!("{name}: {ty}"),
            (false, true) => format!("{name}: {ty} | undefined"),
            (false, false) => format!("{name}?: {ty}"),
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

fn arguments(verb: &Verb) -> String {
    verb.params.iter().map(|p| camel(p.name)).collect::<Vec<_>>().join(", ")
}

fn rules(out: &mut String) {
    if verbs_of("policy").next().is_none() {
        return;
    }
    out.push_str("\n/** The rules of the library, which need no store. */\nexport const policy = {\n");
    for verb in verbs_of("policy") {
        let (name, of) = (camel(verb.name), answer(verb));
        let _ = write!(
            out,
            "{}  {name}({}): {of} {{\n    return callPure({}, [{}])\n  }},\n",
            doc(verb.doc, Way::In, "  "),
            parameters(verb),
            constant(verb),
            arguments(verb)
        );
    }
    out.push_str("} as const\n");
}
