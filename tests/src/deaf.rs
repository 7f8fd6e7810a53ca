//! A line to a server that breaks when it is told to: the next request arrives and is done, and its answer is lost.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::relay;

/// Breaks the line at the next answer.
#[derive(Clone, Default)]
pub struct Scissors(Arc<AtomicBool>);

impl Scissors {
    /// The next answer is lost, once.
    pub fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether an answer has been lost since then.
    #[must_use]
    pub fn have_cut(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

/// Stands before a port of 127.0.0.1 for as long as this process lives. Answers its own port.
#[must_use]
pub fn before(port: u16) -> (u16, Scissors) {
    let scissors = Scissors::default();
    let shared = scissors.clone();
    let answer = move |server: &TcpStream, client: &TcpStream, (): &()| answer(server, client, &shared);
    (relay::before(port, relay::pass, answer), scissors)
}

fn answer(mut server: &TcpStream, mut client: &TcpStream, scissors: &Scissors) -> io::Result<()> {
    let mut bytes = [0; 8192];
    loop {
        let n = server.read(&mut bytes)?;
        if n == 0 || scissors.0.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        client.write_all(&bytes[..n])?;
    }
}
