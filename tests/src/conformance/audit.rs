//! The audit trail.

use openwa_store::entity::{AuditLog, Severity};
use openwa_store::{AuditFilter, Json, NewAuditLog, PageRequest, Store};
use uuid::Uuid;

use super::{Case, Context, all_pages, at, cases, refused_for};

/// What holds for every store.
pub const CASES: &[Case] = cases![
    every_field_comes_back,
    only_the_action_is_needed,
    the_trail_is_read_newest_first_and_filtered,
    it_outlives_what_it_names,
    too_long_values_name_their_column,
];
/// What needs data that outlives the store.
pub const PERSISTENT: &[Case] = cases![];

fn action(name: &str) -> NewAuditLog {
    NewAuditLog { action: name.into(), ..Default::default() }
}

fn listed(store: &Store, which: &AuditFilter) -> Vec<AuditLog> {
    all_pages(2, |request| store.audit().list(which, request))
}

fn every_field_comes_back(cx: &Context) {
    let store = cx.store();
    let entry = NewAuditLog {
        action: "session.deleted".into(),
        severity: Some(Severity::Warn),
        api_key_id: Some(Uuid::from_u128(1)),
        api_key_name: Some("till".into()),
        session_id: Some(Uuid::from_u128(2)),
        session_name: Some("shop-1".into()),
        ip_address: Some("203.0.113.7".into()),
        user_agent: Some("curl/8".into()),
        method: Some("DELETE".into()),
        path: Some("/sessions/2".into()),
        status_code: Some(204),
        metadata: Some(Json::parse(r#"{"why":"test"}"#).unwrap()),
        error_message: Some("none".into()),
    };
    let row = store.audit().log(entry.clone()).wait().unwrap();
    let NewAuditLog { action, severity, metadata, error_message, path, status_code, .. } = entry;
    assert_eq!((row.action.clone(), Some(row.severity), row.created_at), (action, severity, at(0)));
    assert_eq!((row.api_key_id, row.session_id), (entry.api_key_id, entry.session_id));
    assert_eq!(
        (row.api_key_name.clone(), row.session_name.clone()),
        (entry.api_key_name, entry.session_name)
    );
    assert_eq!((row.ip_address.clone(), row.user_agent.clone()), (entry.ip_address, entry.user_agent));
    assert_eq!((row.method.clone(), row.path.clone(), row.status_code), (entry.method, path, status_code));
    assert_eq!((row.metadata.clone(), row.error_message.clone()), (metadata, error_message));
    assert_eq!(listed(&store, &AuditFilter::All), [row]);
}

fn only_the_action_is_needed(cx: &Context) {
    let store = cx.store();
    assert_eq!(store.audit().log(action("x")).wait().unwrap().severity, Severity::Info);
    refused_for(store.audit().log(action("")).wait(), "action");
}

fn the_trail_is_read_newest_first_and_filtered(cx: &Context) {
    let store = cx.store();
    let (key, session) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for (name, api_key_id, session_id) in [
        ("a", Some(key), None),
        ("b", None, Some(session)),
        ("a", None, None),
        ("c", Some(key), Some(session)),
    ] {
        store.audit().log(NewAuditLog { api_key_id, session_id, ..action(name) }).wait().unwrap();
    }
    let names = |which: &AuditFilter| -> String {
        listed(&store, which).iter().map(|row| row.action.as_stored().to_owned()).collect()
    };
    assert_eq!(names(&AuditFilter::All), "caba", "rows of one instant, too, newest first");
    assert_eq!(names(&AuditFilter::Action("a".into())), "aa");
    assert_eq!(names(&AuditFilter::ApiKey(key)), "ca");
    assert_eq!(names(&AuditFilter::Session(session)), "cb");
    assert_eq!(names(&AuditFilter::Session(key)), "");
}

fn it_outlives_what_it_names(cx: &Context) {
    let (store, session) = cx.session();
    store.audit().log(NewAuditLog { session_id: Some(session), ..action("x") }).wait().unwrap();
    store.sessions().delete(session).wait().unwrap();
    assert_eq!(
        store.audit().list(&AuditFilter::Session(session), &PageRequest::default()).unwrap().items.len(),
        1
    );
}

fn too_long_values_name_their_column(cx: &Context) {
    let store = cx.store();
    let long = |n: usize| Some("x".repeat(n).into());
    for (column, bad) in [
        ("action", action(&"x".repeat(101))),
        ("api_key_name", NewAuditLog { api_key_name: long(101), ..action("x") }),
        ("session_name", NewAuditLog { session_name: long(101), ..action("x") }),
        ("ip_address", NewAuditLog { ip_address: long(46), ..action("x") }),
        ("method", NewAuditLog { method: long(11), ..action("x") }),
    ] {
        refused_for(store.audit().log(bad).wait(), column);
    }
}
