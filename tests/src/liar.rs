//! A man in the middle before a pooler, who makes it look like the server itself: he names a process when a connection
//! is made, and lets the first answer to the question for it be the same.

use std::io::{self, Write};
use std::net::TcpStream;

use crate::relay;

/// The process that is named.
const PROCESS: i32 = 4711;
const QUESTION: &[u8] = b"pg_backend_pid";

/// Stands before a port of 127.0.0.1, without encryption, for as long as this process lives. Answers his own port.
#[must_use]
pub fn before(port: u16) -> u16 {
    relay::before(port, relay::pass, |server, client, ()| {
        lie(server, client)?;
        relay::pass(server, client, &())
    })
}

/// Passes messages on, up to the first process that is answered: each has a letter and its length.
fn lie(server: &TcpStream, mut client: &TcpStream) -> io::Result<()> {
    let mut asked = false;
    loop {
        let mut message = relay::message(server, vec![0; 5])?;
        match message[0] {
            // The process and its secret.
            b'K' => message[5..9].copy_from_slice(&PROCESS.to_be_bytes()),
            // The names of the columns.
            b'T' => asked = message.windows(QUESTION.len()).any(|part| part == QUESTION),
            // One column with its length.
            b'D' if asked => {
                let text = PROCESS.to_string();
                message.truncate(7);
                message.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
                message.extend_from_slice(text.as_bytes());
                let length = u32::try_from(message.len() - 1).unwrap();
                message[1..5].copy_from_slice(&length.to_be_bytes());
            }
            _ => {}
        }
        client.write_all(&message)?;
        if asked && message[0] == b'D' {
            return Ok(());
        }
    }
}
