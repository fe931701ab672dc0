//! A line to a server on which replies are changed.

#![allow(clippy::expect_used, reason = "a test that has no server is to fail")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

/// Changes bytes on their way from the server, as they arrive.
type Change = dyn Fn(&mut [u8]) + Send + Sync;

/// Listens on a free port for as long as the test runs.
#[derive(Debug)]
pub struct Meddler {
    port: u16,
}

impl Meddler {
    /// Stands before the server on `port`, and hands everything on.
    pub fn in_front_of(port: u16, change: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own = listener.local_addr().expect("its address").port();
        let change: Arc<Change> = Arc::new(change);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let change = change.clone();
                std::thread::spawn(move || carry(&client, port, &*change));
            }
        });
        Self { port: own }
    }

    /// The URL of this line.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// Carries one connection until either side ends it.
fn carry(client: &TcpStream, port: u16, change: &Change) -> Option<()> {
    let server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let (mut from_server, mut to_client) = (&server, client);
    let mut bytes = vec![0; 64 << 10];
    while let Ok(len @ 1..) = from_server.read(&mut bytes) {
        change(&mut bytes[..len]);
        if to_client.write_all(&bytes[..len]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    server.shutdown(Shutdown::Both).ok()
}
