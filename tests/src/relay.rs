//! A line to a server with somebody in the middle.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::spawn;

/// Stands before a port of 127.0.0.1, without encryption, for as long as this process lives. What the client sends is passed
/// on; `answer` passes on what the server sends, and the line ends with it. Answers his own port.
#[must_use]
pub fn before(
    port: u16,
    answer: impl Fn(&TcpStream, &TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (own, answer) = (listener.local_addr().unwrap().port(), Arc::new(answer));
    spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
            for end in [&client, &server] {
                end.set_nodelay(true).unwrap();
            }
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            // Either side may end at any time.
            spawn(move || {
                let _ = io::copy(&mut &from, &mut &to);
                let _ = to.shutdown(Shutdown::Both);
            });
            let answer = Arc::clone(&answer);
            spawn(move || {
                let _ = answer(&server, &client);
                let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
            });
        }
    });
    own
}
