//! A server that answers everything with the same bytes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// Listens on a free port for as long as the test runs.
pub(crate) struct Garbler(u16);

impl Garbler {
    pub(crate) fn start(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream, answer));
            }
        });
        Self(port)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0)
    }
}

fn serve(mut stream: TcpStream, answer: &[u8]) {
    let mut request = [0; 4096];
    while matches!(stream.read(&mut request), Ok(1..)) {
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}
