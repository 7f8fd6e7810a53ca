//! Every shape and every list of names that the verbs lead to.

use super::{EnumDef, Shape, Type, VERBS, open_options};

/// Every record that goes in or out of a verb or opens a store, in the order in which the verbs lead to them.
#[must_use]
pub fn shapes() -> Vec<&'static Shape> {
    reached().0
}

/// Every list of names that goes in or out of a verb or opens a store, in the order in which the verbs lead to them.
#[must_use]
pub fn enums() -> Vec<&'static EnumDef> {
    reached().1
}

fn reached() -> (Vec<&'static Shape>, Vec<&'static EnumDef>) {
    let mut found = (Vec::new(), Vec::new());
    follow(&Type::Record(open_options()), &mut found);
    for verb in VERBS {
        verb.params.iter().for_each(|p| follow(&p.ty, &mut found));
        follow(&verb.result, &mut found);
    }
    found
}

fn follow(ty: &Type, found: &mut (Vec<&'static Shape>, Vec<&'static EnumDef>)) {
    match ty {
        Type::Record(shape) | Type::Page(shape) if found.0.iter().all(|s| s.name != shape.name) => {
            found.0.push(*shape);
            shape.fields.iter().for_each(|f| follow(&f.ty, found));
        }
        Type::Enum(list) if found.1.iter().all(|e| e.name != list.name) => found.1.push(*list),
        Type::List(item) => follow(item, found),
        _ => {}
    }
}
