//! Somebody before a pooler who sees to it that no client begins a request while the pooler may give its server away: when
//! an answer ends outside a transaction, nothing of the next request has come yet. A pooler in transaction mode goes by
//! what has come whole, and what it has passed on of a request by then is answered to somebody else.

use std::collections::VecDeque;
use std::io::{self, Write};
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

impl Game {
    fn asked(&mut self, letter: u8) {
        match letter {
            b'S' | b'Q' => self.ends.push_back(self.parts),
            b'p' | b'X' => {}
            _ => self.parts += 1,
        }
    }

    /// Whether more had come by now than what is answered. `None`: nobody had asked; that is how a connection begins.
    fn answered(&mut self) -> Option<bool> {
        self.ends.pop_front().map(|end| self.parts > end)
    }
}

/// Stands before a port of 127.0.0.1, without encryption, for as long as this process lives. Answers his own port.
#[must_use]
pub fn before(port: u16) -> (u16, Score) {
    let score = Score::default();
    let shared = score.clone();
    let answer = move |server: &TcpStream, client: &TcpStream, game: &Mutex<Game>| {
        answer(server, client, game, &shared)
    };
    (relay::before(port, ask, answer), score)
}

fn ask(client: &TcpStream, mut server: &TcpStream, game: &Mutex<Game>) -> io::Result<()> {
    // The first message has no letter.
    server.write_all(&relay::message(client, vec![0; 4])?)?;
    loop {
        let message = relay::message(client, vec![0; 5])?;
        game.lock().unwrap().asked(message[0]);
        server.write_all(&message)?;
    }
}

fn answer(server: &TcpStream, mut client: &TcpStream, game: &Mutex<Game>, score: &Score) -> io::Result<()> {
    loop {
        let message = relay::message(server, vec![0; 5])?;
        if message[0] == b'Z'
            && let Some(early) = game.lock().unwrap().answered()
        {
            score.requests.fetch_add(1, Ordering::Relaxed);
            let foul = message[5] == b'I' && early;
            score.fouls.fetch_add(foul.into(), Ordering::Relaxed);
        }
        client.write_all(&message)?;
    }
}
