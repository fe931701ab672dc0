//! A server that answers everything with the same bytes.

#![allow(clippy::expect_used, reason = "a test that has no server is to fail")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Listens on a free port for as long as the test runs.
#[derive(Debug)]
pub struct Garbler {
    port: u16,
    active: Arc<AtomicBool>,
}

impl Garbler {
    /// Answers every request with these bytes.
    pub fn start(answer: &'static [u8]) -> Self {
        Self::serving(answer, None)
    }

    /// Stands before the server on `port`, and hands everything on until it is told to garble.
    pub fn in_front_of(port: u16, answer: &'static [u8]) -> Self {
        Self::serving(answer, Some(port))
    }

    fn serving(answer: &'static [u8], behind: Option<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let garbler = Self {
            port,
            active: Arc::new(AtomicBool::new(behind.is_none())),
        };
        let active = garbler.active.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let active = active.clone();
                std::thread::spawn(move || serve(stream, answer, behind, &active));
            }
        });
        garbler
    }

    /// From now on answers garbage, or not.
    pub fn set_garbling(&self, active: bool) {
        self.active.store(active, Ordering::SeqCst);
    }

    /// The URL of this server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// Serves one connection. One that has seen garbage ends with it.
fn serve(mut stream: TcpStream, answer: &[u8], behind: Option<u16>, active: &AtomicBool) {
    let mut server = behind.and_then(|port| {
        let server = TcpStream::connect(("127.0.0.1", port)).ok()?;
        let (mut from, mut to) = (server.try_clone().ok()?, stream.try_clone().ok()?);
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        Some(server)
    });
    let mut request = [0; 4096];
    let mut has_garbled = false;
    while let Ok(len @ 1..) = stream.read(&mut request) {
        let written = if active.load(Ordering::SeqCst) {
            has_garbled = true;
            stream.write_all(answer)
        } else if has_garbled {
            break;
        } else if let Some(server) = &mut server {
            server.write_all(&request[..len])
        } else {
            break;
        };
        if written.is_err() {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
    if let Some(server) = server {
        let _ = server.shutdown(std::net::Shutdown::Both);
    }
}
