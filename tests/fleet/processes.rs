//! Real processes, of which some end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use cache_tests::{RedisServer, eventually};

/// A real process, which tells of itself line by line.
struct Worker(Child, BufReader<std::process::ChildStdout>);

impl Worker {
    fn command(server: &RedisServer, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        for name in [
            "REDIS_HOST",
            "CACHE_ENABLED",
            "REDIS_ENABLED",
            "CACHE_NAMESPACE",
        ] {
            command.env_remove(name);
        }
        command.args(args).env("REDIS_URL", server.url());
        command
    }

    fn start(server: &RedisServer) -> Self {
        let mut child = Self::command(server, &["obey"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a worker");
        let output = child.stdout.take().expect("its output");
        Self(child, BufReader::new(output))
    }

    fn throw(server: &RedisServer, to: &str) {
        let status = Self::command(server, &["throw", to]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    /// Has it read a key; what it tells.
    fn reads(&mut self) -> String {
        let input = self.0.stdin.as_mut().expect("its input");
        writeln!(input).expect("a worker that reads");
        let mut line = String::new();
        self.1.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    async fn until(&mut self, mode: &str) {
        let worker = std::cell::RefCell::new(self);
        eventually("the mode", async || {
            worker
                .borrow_mut()
                .reads()
                .ends_with(&format!("mode={mode}"))
        })
        .await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With annotated functions, and processes that end.
#[tokio::test]
async fn it_outlives_the_process_that_threw_it() {
    let server = RedisServer::start();
    let mut first = Worker::start(&server);
    assert_eq!(first.reads(), "runs=1 mode=On");
    assert_eq!(first.reads(), "runs=1 mode=On");
    Worker::throw(&server, "off");
    first.until("Off").await;
    let mut later = Worker::start(&server);
    // Its very first read, of what is cached.
    assert_eq!(later.reads(), "runs=1 mode=Off");
    drop(first);
    Worker::throw(&server, "on");
    later.until("On").await;
}
