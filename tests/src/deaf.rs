//! A line to a server that breaks when it is told to: the next request arrives and is done, and its answer is lost.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::spawn;

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
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (own, scissors) = (listener.local_addr().unwrap().port(), Scissors::default());
    let shared = scissors.clone();
    spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
            for end in [&client, &server] {
                end.set_nodelay(true).unwrap();
            }
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            spawn(move || {
                let _ = io::copy(&mut &from, &mut &to);
                let _ = to.shutdown(Shutdown::Both);
            });
            let scissors = shared.clone();
            spawn(move || {
                let _ = answer(&server, &client, &scissors);
                let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
            });
        }
    });
    (own, scissors)
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
