//! The entries of [`VERBS`](super::VERBS), one file per group.

mod api_keys;
mod audit;
mod auth;
mod batches;
mod contacts;
mod messages;
mod policy;
mod sessions;
mod store;
mod webhooks;

use super::Verb;
use super::docs::DOCS;
use crate::entity::same;

const GROUPS: &[&[Verb]] = &[
    store::VERBS,
    sessions::VERBS,
    messages::VERBS,
    contacts::VERBS,
    webhooks::VERBS,
    batches::VERBS,
    auth::VERBS,
    api_keys::VERBS,
    audit::VERBS,
    policy::VERBS,
];

/// How many verbs there are.
pub(super) const fn count() -> usize {
    let (mut n, mut g) = (0, 0);
    while g < GROUPS.len() {
        n += GROUPS[g].len();
        g += 1;
    }
    n
}

/// The groups in one row.
pub(super) const fn all<const N: usize>() -> [Verb; N] {
    let mut out = [GROUPS[0][0]; N];
    let (mut n, mut g) = (0, 0);
    while g < GROUPS.len() {
        let mut i = 0;
        while i < GROUPS[g].len() {
            out[n] = GROUPS[g][i];
            n += 1;
            i += 1;
        }
        g += 1;
    }
    out
}

/// The documentation of the method that a verb runs; empty: it has none yet.
const fn documented(path: &str) -> &'static str {
    let mut i = 0;
    while i < DOCS.len() {
        if same(DOCS[i].0, path) {
            return DOCS[i].1;
        }
        i += 1;
    }
    ""
}

/// The entries of one group:
///
/// ```text
/// verbs! { "sessions"(store, progress);
///     read get("Id of the session." id: Uuid) -> Session { store.sessions().get(id) }
/// }
/// ```
///
/// `pure`, `read`, `page` (which reads one), `write` or `long`; for each parameter its documentation, name and type;
/// what the verb answers; and how it runs. `long` verbs have a `progress` callback. An entry without doc comment has that of the method.
macro_rules! verbs {
    ($group:literal($store:ident, $progress:ident); $(
        $(#[doc = $doc:literal])*
        $kind:ident $name:ident($($pdoc:literal $param:ident: $type:ty),* $(,)?) -> $result:ty $body:block
    )+) => {
        // Verbs without parameters leave `args` alone.
        #[allow(unused_mut, unused_variables)]
        pub(super) const VERBS: &[$crate::face::Verb] = &[$($crate::face::Verb {
            group: $group,
            name: stringify!($name),
            path: concat!($group, ".", stringify!($name)),
            doc: $crate::face::verbs::verbs!(@doc concat!($group, ".", stringify!($name)), $($doc)*),
            params: &[$($crate::record::shape!(@field input [] stringify!($param), $type, $pdoc)),*],
            result: <$result as $crate::record::Described>::TYPE,
            nullable: <$result as $crate::record::Described>::NULLABLE,
            run: $crate::face::verbs::verbs!(@run $kind $store $progress ($($param: $type),*) $result, $body),
        }),+];
    };
    (@doc $path:expr,) => { $crate::face::verbs::documented($path) };
    (@doc $path:expr, $($doc:literal)+) => { concat!($($doc, "\n"),+).trim_ascii() };
    (@run pure $store:ident $progress:ident ($($param:ident: $type:ty),*) $result:ty, $body:block) => {
        $crate::face::call::Run::Pure(|mut args| {
            $(let $param = $crate::record::next_field::<$type>(&mut args, stringify!($param))?;)*
            let out: $crate::error::Result<$result> = $body;
            out.map($crate::record::IntoValue::into_value)
        })
    };
    (@run read $store:ident $progress:ident ($($param:ident: $type:ty),*) $result:ty, $body:block) => {
        $crate::face::call::Run::Read(|$store, mut args| {
            $(let $param = $crate::record::next_field::<$type>(&mut args, stringify!($param))?;)*
            Ok(Box::new(move || {
                let out: $crate::error::Result<$result> = $body;
                out.map($crate::record::IntoValue::into_value)
            }))
        })
    };
    (@run page $store:ident $progress:ident ($($param:ident: $type:ty),*) $result:ty, $body:block) => {
        $crate::face::call::Run::Page(|$store, mut args| {
            $(let $param = $crate::record::next_field::<$type>(&mut args, stringify!($param))?;)*
            Ok(Box::new(move || {
                let out: $crate::error::Result<$result> = $body;
                out.map($crate::face::call::Rows::of)
            }))
        })
    };
    (@run write $store:ident $progress:ident ($($param:ident: $type:ty),*) $result:ty, $body:block) => {
        $crate::face::call::Run::Write(|$store, mut args| {
            $(let $param = $crate::record::next_field::<$type>(&mut args, stringify!($param))?;)*
            let pending: $crate::db::Pending<$result> = $body;
            Ok($crate::face::call::PendingValue::new(pending))
        })
    };
    (@run long $store:ident $progress:ident ($($param:ident: $type:ty),*) $result:ty, $body:block) => {
        $crate::face::call::Run::Long(|$store, mut args| {
            $(let $param = $crate::record::next_field::<$type>(&mut args, stringify!($param))?;)*
            Ok(Box::new(move |$progress| {
                let out: $crate::error::Result<$result> = $body;
                out.map($crate::record::IntoValue::into_value)
            }))
        })
    };
}
use verbs;
