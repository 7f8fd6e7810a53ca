//! What the host's own instruments hear: every name is documented, and none of it tells what people wrote.

#![allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder};
use openwa_store::observe::{METRICS, TRACES};
use openwa_store::{
    Config, DataDatabase, Kind, MaintenanceOptions, NewApiKey, NewApiKeyLog, NewDelivery, NewSession,
    NewWebhook, PageRequest, Postgres, Store, Uuid,
};
use openwa_tests::cluster::{Cluster, Options, Stop};
use openwa_tests::conformance::incoming;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

/// Everything that was heard: `kind name {label=value …}`, and how often.
static HEARD: LazyLock<Mutex<BTreeMap<String, f64>>> = LazyLock::new(Mutex::default);

fn heard(what: String, by: f64) {
    *HEARD.lock().unwrap().entry(what).or_default() += by;
}

struct Ears;
struct One(String);

impl CounterFn for One {
    fn increment(&self, by: u64) {
        heard(self.0.clone(), by as f64);
    }
    fn absolute(&self, _: u64) {}
}

impl GaugeFn for One {
    fn increment(&self, _: f64) {}
    fn decrement(&self, _: f64) {}
    fn set(&self, _: f64) {
        heard(self.0.clone(), 1.0);
    }
}

impl HistogramFn for One {
    fn record(&self, _: f64) {
        heard(self.0.clone(), 1.0);
    }
}

fn one(kind: &str, key: &Key) -> Arc<One> {
    let labels: BTreeMap<&str, &str> = key.labels().map(|l| (l.key(), l.value())).collect();
    Arc::new(One(format!("{kind} {} {labels:?}", key.name())))
}

impl Recorder for Ears {
    fn describe_counter(&self, _: KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        one("counter", key).into()
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        one("gauge", key).into()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        one("histogram", key).into()
    }
}

/// The fields of a span or event.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Ears {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "openwa"
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let (name, level) = (span.metadata().name(), span.metadata().level().as_str().to_lowercase());
        heard(format!("span {level} {name} {:?}", fields.0), 1.0);
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let name = fields.0.remove("message").unwrap();
        heard(
            format!("event {} {name} {:?}", event.metadata().level().as_str().to_lowercase(), fields.0),
            1.0,
        );
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

const SECRETS: [&str; 5] = ["very private", "12025550143", "s3cret-of-the-hook", "/private/path", "owa_k1_"];

fn work(store: &Store) {
    let session =
        store.sessions().create(NewSession { name: "shop".into(), ..Default::default() }).wait().unwrap().id;
    for _ in 0..2 {
        store.messages().save(session, incoming("A", "very private")).wait().unwrap();
    }
    store.messages().save_many(session, vec![incoming("B", "very private")]).wait().unwrap();
    let hook = NewWebhook {
        url: "https://example.com/hook".into(),
        secret: Some("s3cret-of-the-hook".into()),
        ..Default::default()
    };
    let hook = store.webhooks().create(session, hook).wait().unwrap().id;
    let attempt = |status_code| NewDelivery { status_code, ..Default::default() };
    store.webhooks().log(hook, attempt(Some(204))).wait().unwrap();
    store.webhooks().log_later(hook, &attempt(None)).unwrap();
    store.webhooks().log_later(Uuid::from_u128(7), &attempt(Some(500))).unwrap();
    let key = store.api_keys().create(NewApiKey { name: "ci".into(), ..Default::default() }).wait().unwrap();
    store.api_keys().authorize(&key.key, &Default::default()).unwrap();
    store
        .api_keys()
        .log_later(&NewApiKeyLog { endpoint: "/private/path".into(), ..Default::default() })
        .unwrap();
    store.webhooks().logs(hook, &PageRequest::default()).unwrap();
    store.flush_logs().unwrap();
    store.webhooks().get(Uuid::from_u128(7)).unwrap_err();
    let runs = store.run_maintenance(&MaintenanceOptions::default(), None, None).unwrap();
    assert!(runs.iter().all(|run| run.error.is_none()));
}

/// Calls fail, and succeed again; rows of a log are lost, because nobody wants to wait for the server any longer.
fn a_server_that_goes_and_comes() {
    let cluster = Cluster::new(&Options::default());
    let (database, dir) = (cluster.database(), tempfile::tempdir().unwrap());
    let timeout = Duration::from_secs(1);
    let postgres = Postgres { timeout, wait: timeout, ..database.postgres() };
    let config = Config { data: DataDatabase::Postgres(postgres), ..Config::new(dir.path()) };
    let store = Store::open_with(config).unwrap();
    cluster.stop(Stop::Immediate);
    store.messages().get(Uuid::nil()).unwrap_err();
    cluster.start();
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.messages().find(Uuid::nil(), "A").is_err() {
        assert!(Instant::now() < deadline);
    }
    store.close().unwrap();
}

/// The log of a database cannot be moved into a file that is not there.
#[cfg(unix)]
fn a_checkpoint_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let session = NewSession { name: "shop".into(), ..Default::default() };
    let session = store.sessions().create(session).wait().unwrap().id;
    let (file, aside) = (dir.path().join("data.sqlite"), dir.path().join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    let long = "x".repeat(60_000);
    let many = (0..200).map(|n| incoming(&format!("L{n}"), &long)).collect();
    assert_eq!(store.messages().save_many(session, many).wait().unwrap_err().kind(), Kind::FileGone);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !HEARD.lock().unwrap().keys().any(|line| line.contains("checkpoint failed")) {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::rename(&aside, &file).unwrap();
    store.close().unwrap();
}

#[test]
fn every_name_is_documented_and_nothing_private_is_told() {
    metrics::set_global_recorder(Ears).unwrap();
    tracing::subscriber::set_global_default(Ears).unwrap();
    let store = Store::in_memory().unwrap();
    work(&store);
    store.close().unwrap();
    let clock = openwa_store::ManualClock::new(openwa_tests::conformance::at(0));
    let store = Store::open_with(Config { clock: clock.clone(), ..Config::in_memory() }).unwrap();
    work(&store);
    clock.advance(Duration::from_secs(400 * 86_400));
    let runs = store.run_maintenance(&MaintenanceOptions::default(), None, None).unwrap();
    assert!(runs.iter().any(|run| run.error.is_some()));
    drop(store);
    a_server_that_goes_and_comes();
    a_checkpoint_that_fails();

    let heard = HEARD.lock().unwrap();
    for line in heard.keys() {
        for secret in SECRETS {
            assert!(!line.contains(secret), "{line}");
        }
    }
    let quoted = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<String>>();
    let mut seen = BTreeSet::new();
    for line in heard.keys() {
        let labels: BTreeSet<String> = {
            let inside = line.split_once('{').unwrap().1;
            inside.split('"').skip(1).step_by(4).map(str::to_owned).collect()
        };
        let metric = METRICS.iter().find(|m| line.starts_with(&format!("{} {} {{", m.kind, m.name)));
        let trace =
            TRACES.iter().find(|t| line.starts_with(&format!("{} {} {} {{", t.kind, t.level, t.name)));
        let (name, fields) = match (metric, trace) {
            (Some(m), None) => (m.name, m.labels),
            (None, Some(t)) => (t.name, t.fields),
            _ => panic!("{line} is not documented"),
        };
        assert!(labels.is_subset(&quoted(fields)), "{line}");
        assert!(!labels.is_empty(), "{line}");
        seen.insert(name);
    }
    let documented: BTreeSet<&str> =
        METRICS.iter().map(|m| m.name).chain(TRACES.iter().map(|t| t.name)).collect();
    assert_eq!(seen, documented, "what is documented is heard");
    let count =
        |what: &str| heard.iter().filter(|(line, _)| line.starts_with(what)).map(|(_, n)| *n).sum::<f64>();
    assert_eq!(count("counter openwa_saves_total {\"outcome\": \"inserted\"}"), 4.0);
    assert_eq!(count("counter openwa_saves_total {\"outcome\": \"unchanged\"}"), 2.0);
    assert_eq!(
        count(
            "counter openwa_operations_total {\"operation\": \"webhooks.get\", \"outcome\": \"NOT_FOUND\"}"
        ),
        2.0
    );
}
