//! What it costs to be watched: logs that wait for nobody, and numbers and traces that somebody collects.

use openwa_store::NewApiKeyLog;

use crate::saves::{message, open, samples, save};
use crate::{Folder, Options, rate, single, versus};

/// How this program calls itself: what is collected cannot be switched off again in one process.
const CHILD: &str = "--saves-of-a-child";

/// Log entries that are written together.
const TOGETHER: u32 = 200;

pub fn run(options: &Options) {
    log_later(options);
    for (name, threads) in [("64 threads", 64), ("one at a time", 1)] {
        let rows = if threads == 1 { options.rows / 10 } else { options.rows };
        let name = format!("save, {name}, metrics and traces collected / not");
        versus(options, &name, 0.9, || child(true, threads, rows), || child(false, threads, rows));
    }
}

fn request() -> NewApiKeyLog {
    NewApiKeyLog {
        endpoint: "/api/sessions/shop-1/messages".into(),
        method: "POST".into(),
        status_code: 201,
        ..NewApiKeyLog::default()
    }
}

fn log_later(options: &Options) {
    let few = samples((options.rows / 10).max(1));
    let saves = |logged: bool| {
        let folder = Folder::new("logged");
        let (store, session) = open(&folder);
        rate(|| {
            for m in &few {
                store.messages().save(session, message(m)).wait().expect("saved");
                if logged {
                    store.api_keys().log_later(&request()).expect("noted");
                }
            }
            few.len()
        })
    };
    versus(options, "save and log_later, one at a time / save alone", 0.9, || saves(true), || saves(false));
    let folder = Folder::new("log-later");
    let (store, _) = open(&folder);
    single(options, "log_later by itself", "µs", "", || {
        let (mut calls, mut took) = (0, 0.0);
        while calls < 20_000 {
            took += f64::from(TOGETHER)
                / rate(|| {
                    (0..TOGETHER).for_each(|_| store.api_keys().log_later(&request()).expect("noted"));
                    TOGETHER as usize
                });
            calls += TOGETHER;
            store.flush_logs().expect("written");
        }
        took / f64::from(calls) * 1e6
    });
}

/// Runs the saves in a process of their own and answers how many it did in a second.
fn child(collected: bool, threads: usize, rows: usize) -> f64 {
    let how = [CHILD.to_owned(), collected.to_string(), threads.to_string(), rows.to_string()];
    let program = std::env::current_exe().expect("this program");
    let out = std::process::Command::new(program).args(how).output().expect("a child");
    String::from_utf8_lossy(&out.stdout).trim().parse().expect("a rate")
}

/// Does a child's work, if this is one.
pub fn is_child() -> bool {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [first, collected, threads, rows] = &args[..] else { return false };
    if first != CHILD {
        return false;
    }
    if collected == "true" {
        collect();
    }
    let number = |text: &str| text.parse().expect("a number");
    let folder = Folder::new("collected");
    let (store, session) = open(&folder);
    let messages = samples(number(rows));
    println!("{}", rate(|| save(&store, session, &messages, number(threads))));
    true
}

/// As hosts do it: numbers for Prometheus, and what is traced down to every commit as lines of text.
fn collect() {
    metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().expect("the first recorder");
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_writer(std::io::sink)
        .init();
}
