use super::verbs;
use crate::entity::{Session, SessionLog, SessionStatus};
use crate::json::Json;
use crate::record::Page;
use crate::repo::paging::PageRequest;
use crate::repo::sessions::{NewSession, SessionFilter, SessionUpdate, Transition};
use crate::text::Text;
use uuid::Uuid;

verbs! { "sessions"(store, progress);
    write create("The session." session: NewSession) -> Session { store.sessions().create(session) }

    read get("The session." id: Uuid) -> Session { store.sessions().get(id) }

    read find("What people call it." name: Text) -> Option<Session> { store.sessions().find(name) }

    page list("Which sessions." filter: SessionFilter, "Which page." page: PageRequest) -> Page<Session> {
        store.sessions().list(&filter, &page)
    }

    write update("The session." id: Uuid, "What to change." update: SessionUpdate) -> Session {
        store.sessions().update(id, update)
    }

    write transition(
        "The session." id: Uuid,
        "The new status." to: SessionStatus,
        "Why, for the log." reason: Option<Text>,
    ) -> Transition {
        store.sessions().transition_because(id, to, reason)
    }

    write restore() -> Vec<Session> { store.sessions().restore() }

    write recreate("The session." id: Uuid) -> Session { store.sessions().recreate(id) }

    write delete("The session." id: Uuid) -> bool { store.sessions().delete(id) }

    write log(
        "The session." id: Uuid,
        "What happened." event: Text,
        "Anything else." data: Option<Json>,
    ) -> SessionLog {
        store.sessions().log(id, event, data)
    }

    page logs(
        "The session." id: Uuid,
        "Only this kind of event." event: Option<Text>,
        "Which page." page: PageRequest,
    ) -> Page<SessionLog> {
        store.sessions().logs(id, event.as_ref(), &page)
    }
}
