//! The figures for PostgreSQL in `docs/benchmarks.md`, beside SQL by hand on the same schema and server: `make bench`.
//!
//! Arguments: `--rounds N` (default 3), `--rows N` (default 100,000), `--only NAME` (part of a row's name), `--long`
//! (pages of 10,000,000 messages too). The server is a private cluster that syncs every commit.

#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

mod bulk;
#[path = "../../../openwa-store/benches/common/mod.rs"]
mod common;
mod pages;
mod saves;
mod yardstick;

pub use common::*;
use openwa_store::{Config, DataDatabase, NewSession, Store, Uuid};
use openwa_tests::cluster::{self, Cluster, Database};

/// A store on a database of its own.
pub struct Bench<'a> {
    pub store: Store,
    pub session: Uuid,
    pub database: Database<'a>,
    _folder: Folder,
}

impl<'a> Bench<'a> {
    pub fn new(cluster: &'a Cluster, name: &str) -> Self {
        let (database, folder) = (cluster.database(), Folder::new(name));
        let data = DataDatabase::Postgres(database.postgres());
        let store = Store::open_with(Config { data, ..Config::new(folder.path()) }).expect("open");
        let new = NewSession { name: "bench".into(), ..NewSession::default() };
        let session = store.sessions().create(new).wait().expect("session").id;
        Bench { store, session, database, _folder: folder }
    }
}

fn main() {
    let options = Options { rounds: 3, rows: 100_000, only: None, long: false }.read();
    let cluster = Cluster::new(&cluster::Options { timezone: "UTC", ..cluster::Options::default() });
    println!("{}", cluster.sql("postgres").value("SELECT version()"));
    println!("\n| work | ours | yardstick | ratio | at least |\n|---|---|---|---|---|");
    saves::run(&options, &cluster);
    bulk::run(&options, &cluster);
    pages::run(&options, &cluster);
}
