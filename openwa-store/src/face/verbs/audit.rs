use super::verbs;
use crate::entity::AuditLog;
use crate::face::inputs::AuditFilter;
use crate::record::Page;
use crate::repo::logs::NewAuditLog;
use crate::repo::paging::PageRequest;

verbs! { "audit"(store, progress);
    write log("The entry." entry: NewAuditLog) -> AuditLog { store.audit().log(entry) }

    page list("Which entries." filter: AuditFilter, "Which page." page: PageRequest) -> Page<AuditLog> {
        filter.one().and_then(|filter| store.audit().list(&filter, &page))
    }
}
