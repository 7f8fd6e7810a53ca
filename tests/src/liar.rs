//! A man in the middle before a pooler, who makes it look like the server itself: he names a process when a connection
//! is made, and lets the first answer to the question for it be the same.

use std::io::{self, Read, Write};
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
fn lie(mut server: &TcpStream, mut client: &TcpStream) -> io::Result<()> {
    let mut asked = false;
    loop {
        let mut head = [0; 5];
        server.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; length as usize - 4];
        server.read_exact(&mut body)?;
        match head[0] {
            // The process and its secret.
            b'K' => body[..4].copy_from_slice(&PROCESS.to_be_bytes()),
            // The names of the columns.
            b'T' => asked = body.windows(QUESTION.len()).any(|part| part == QUESTION),
            // One column with its length.
            b'D' if asked => {
                let text = PROCESS.to_string();
                body.truncate(2);
                body.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
                body.extend_from_slice(text.as_bytes());
                head[1..].copy_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
            }
            _ => {}
        }
        client.write_all(&head)?;
        client.write_all(&body)?;
        if asked && head[0] == b'D' {
            return Ok(());
        }
    }
}
