// Generated from the documentation of the methods; `BLESS=1 cargo test -p openwa-store face` renews it.

pub(super) const DOCS: &[(&str, &str)] = &[];
