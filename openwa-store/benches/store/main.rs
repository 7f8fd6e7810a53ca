//! The figures of `docs/benchmarks.md`, each beside the yardstick, in one run: `make bench`.
//!
//! Arguments: `--rounds N` (default 3), `--rows N` (default 100,000), `--only NAME` (part of a row's name).
//! The two sides of a row run in turn (A B A B …) and the median of the ratios is shown, because machines are
//! shared and their speed drifts.

#![allow(missing_docs, clippy::expect_used)]

mod authorize;
#[path = "../common/mod.rs"]
mod common;
mod pages;
mod reads;
mod saves;
mod secrets;
mod transfer;
mod upkeep;
mod watched;
mod yardstick;

pub use common::*;

fn main() {
    if watched::is_child() {
        return;
    }
    let options = Options { rounds: 3, rows: 100_000, only: None, long: false }.read();
    println!("| work | ours | yardstick | ratio | at least |\n|---|---|---|---|---|");
    saves::run(&options);
    reads::run(&options);
    authorize::run(&options);
    transfer::run(&options);
    upkeep::run(&options);
    secrets::run(&options);
    watched::run(&options);
    pages::run(&options);
}
