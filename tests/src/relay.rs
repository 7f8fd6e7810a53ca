//! A line to a server with somebody in the middle.

use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::spawn;

/// Stands before a port of 127.0.0.1, without encryption, for as long as this process lives. `ask` passes on what the client
/// sends, and `answer` what the server sends, with what both know of this connection; the line ends with either. Answers his
/// own port.
#[must_use]
pub fn before<T: Default + Send + Sync + 'static>(
    port: u16,
    ask: impl Fn(&TcpStream, &TcpStream, &T) -> io::Result<()> + Send + Sync + 'static,
    answer: impl Fn(&TcpStream, &TcpStream, &T) -> io::Result<()> + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (own, ways) = (listener.local_addr().unwrap().port(), Arc::new((ask, answer)));
    spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
            for end in [&client, &server] {
                end.set_nodelay(true).unwrap();
            }
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let known = Arc::new(T::default());
            // Either side may end at any time.
            let (there, shared) = (Arc::clone(&ways), Arc::clone(&known));
            spawn(move || {
                let _ = (there.0)(&from, &to, &shared);
                let _ = to.shutdown(Shutdown::Both);
            });
            let back = Arc::clone(&ways);
            spawn(move || {
                let _ = (back.1)(&server, &client, &known);
                let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
            });
        }
    });
    own
}

/// Passes on whatever comes.
///
/// # Errors
/// When one of the ends is gone.
pub fn pass(mut from: &TcpStream, mut to: &TcpStream, (): &()) -> io::Result<()> {
    io::copy(&mut from, &mut to).map(drop)
}

/// Reads one message of the protocol, which begins with `head`: a letter, if it is that long, and the length of what follows.
///
/// # Errors
/// When the other end is gone.
pub fn message(mut from: &TcpStream, mut head: Vec<u8>) -> io::Result<Vec<u8>> {
    from.read_exact(&mut head)?;
    let length = u32::from_be_bytes(*head.last_chunk().unwrap()) as usize - 4;
    let begin = head.len();
    head.resize(begin + length, 0);
    from.read_exact(&mut head[begin..])?;
    Ok(head)
}
