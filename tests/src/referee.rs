//! Somebody before a pooler who sees to it that no client begins a request while the pooler may give its server away: when
//! an answer ends outside a transaction, nothing of the next request has come yet. A pooler in transaction mode goes by
//! what has come whole, and what it has passed on of a request by then is answered to somebody else.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::relay;

/// What was seen on all connections.
#[derive(Clone, Default)]
pub struct Score {
    requests: Arc<AtomicU64>,
    fouls: Arc<AtomicU64>,
}

impl Score {
    /// Requests that have been answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Answers that ended when the next request had begun.
    #[must_use]
    pub fn fouls(&self) -> u64 {
        self.fouls.load(Ordering::Relaxed)
    }
}

/// One connection.
#[derive(Default)]
struct Game {
    /// Messages of the client that are part of a longer request.
    parts: u64,
    /// How many of them had been sent at the end of each request that is not answered yet.
    ends: VecDeque<u64>,
}

/// Stands before a port of 127.0.0.1, without encryption, for as long as this process lives. Answers his own port.
#[must_use]
pub fn before(port: u16) -> (u16, Score) {
    let score = Score::default();
    let shared = score.clone();
    let asked = |client: &TcpStream, server: &TcpStream, game: &Mutex<Game>| {
        // The first message has no letter.
        pass(client, server, &mut [0; 4], |_| {})?;
        loop {
            pass(client, server, &mut [0; 5], |message| {
                let mut game = game.lock().unwrap();
                match message[0] {
                    b'S' | b'Q' => {
                        let parts = game.parts;
                        game.ends.push_back(parts);
                    }
                    b'p' | b'X' => {}
                    _ => game.parts += 1,
                }
            })?;
        }
    };
    let answered = move |server: &TcpStream, client: &TcpStream, game: &Mutex<Game>| {
        loop {
            pass(server, client, &mut [0; 5], |message| {
                let mut game = game.lock().unwrap();
                // The first time it is not an answer.
                if message[0] == b'Z'
                    && let Some(end) = game.ends.pop_front()
                {
                    shared.requests.fetch_add(1, Ordering::Relaxed);
                    let foul = message[5] == b'I' && game.parts > end;
                    shared.fouls.fetch_add(foul.into(), Ordering::Relaxed);
                }
            })?;
        }
    };
    (relay::before(port, asked, answered), score)
}

/// Passes one message on, which begins with `head`: a letter, if it is that long, and the length of what follows.
fn pass(
    mut from: &TcpStream,
    mut to: &TcpStream,
    head: &mut [u8],
    see: impl FnOnce(&[u8]),
) -> io::Result<()> {
    from.read_exact(head)?;
    let length = u32::from_be_bytes(*head.last_chunk().unwrap()) as usize - 4;
    let mut message = head.to_vec();
    message.resize(head.len() + length, 0);
    from.read_exact(&mut message[head.len()..])?;
    see(&message);
    to.write_all(&message)
}
