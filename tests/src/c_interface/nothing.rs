use openwa_store::face::{Type, VERBS, VerbKind};

use super::Generated;

/// A call of every verb with nothing but the handle `one`: for the C tests of wrong use.
pub(super) fn file() -> Generated {
    let mut content = String::from(
        "/* Every verb with nothing but a store. Generated from openwa_store::face; BLESS=1 cargo test -p openwa-tests --test\n \
         * c_interface renews it. */\n",
    );
    for verb in VERBS {
        let mut args: Vec<&str> = Vec::new();
        if verb.kind() != VerbKind::Pure {
            args.push("one");
        }
        for p in verb.params {
            args.push(match p.ty {
                Type::Bool => "false",
                Type::Float | Type::Int | Type::Duration | Type::Time if p.required => "0",
                Type::Int | Type::Duration | Type::Time | Type::Record(_) => "NULL",
                Type::Bytes => "(openwa_bytes){NULL, 0}",
                Type::List(_) => "NULL, 0",
                _ => "OPENWA_NONE",
            });
        }
        if verb.kind() == VerbKind::Long {
            args.push("NULL, NULL");
        }
        match verb.result {
            Type::Unit => {}
            Type::Int | Type::Duration | Type::Time if verb.nullable => args.push("NULL, NULL"),
            _ => args.push("NULL"),
        }
        args.push("&err");
        content.push_str(&format!("NOTHING(openwa_{}_{}, {})\n", verb.group, verb.name, args.join(", ")));
    }
    Generated { path: "tests/c/nothing.h", content }
}
