//! Starts the servers that tests use, says where they are, and waits to be killed. For the test that nothing stays
//! behind.

use openwa_tests::bouncer::Bouncer;
use openwa_tests::cluster::{Cluster, Options};

fn main() {
    let cluster = Cluster::new(&Options { fsync: false, ..Options::default() });
    let bouncer = Bouncer::new(&cluster);
    println!("{} {} {}", cluster.socket(), cluster.port(), bouncer.port());
    // Its parent never writes, so this ends when the parent does.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}
