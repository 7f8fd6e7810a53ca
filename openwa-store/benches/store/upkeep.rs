//! Opening.

use std::time::Instant;

use openwa_store::Store;

use crate::saves::{message, open, samples};
use crate::{Folder, Options, single};

pub fn run(options: &Options) {
    let folder = Folder::new("open");
    let (store, session) = open(&folder);
    let messages = samples(20_000);
    store.messages().save_many(session, messages.iter().map(message).collect()).wait().expect("saved");
    store.close().expect("closed");
    single(options, "opening an existing store", "ms", "< 20 ms", || {
        let start = Instant::now();
        let store = Store::open(folder.path()).expect("open");
        let took = start.elapsed().as_secs_f64() * 1e3;
        drop(store);
        took
    });
}
