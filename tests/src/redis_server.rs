//! A real `redis-server` of one's own.

#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test that has no server is to fail"
)]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A `redis-server` on a free port of the loopback interface, without persistence. Stopped on drop, and when the test
/// process ends without a drop: a shell between the two waits for the end of its input and then kills the server.
#[derive(Debug)]
pub struct RedisServer {
    process: Option<Process>,
    directory: TempDir,
    port: u16,
    options: Vec<String>,
}

#[derive(Debug)]
struct Process {
    guard: Child,
    pid: u32,
}

/// Starts the server, tells its pid, and kills it when nobody holds the other end of the input any more.
const GUARD: &str =
    r#"redis-server "$@" >/dev/null 2>&1 & echo $!; read -r _; kill -9 $! 2>/dev/null"#;

impl RedisServer {
    /// Starts one.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more options: `["--maxmemory", "2mb"]`.
    pub fn start_with(options: &[&str]) -> Self {
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        // Between looking for a free port and listening on it another may take it.
        for _ in 0..10 {
            let mut server = Self {
                process: None,
                directory: TempDir::new().expect("a temporary folder"),
                port: free_port(),
                options: options.clone(),
            };
            if server.launch() {
                return server;
            }
        }
        panic!("no redis-server could be started");
    }

    /// The URL of this server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Freezes the process: connections stay open, and nothing answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Kills the process; what it held is gone.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port: empty, or with what a `SAVE` has kept.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "redis-server did not start again");
    }

    /// A connection for the test's own questions.
    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url())
            .and_then(|client| client.get_connection())
            .expect("a connection")
    }

    /// Asks one question.
    pub fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let (name, args) = command.split_first().expect("a command");
        let mut cmd = redis::cmd(name);
        for arg in args {
            cmd.arg(*arg);
        }
        cmd.query(&mut self.connection()).expect("an answer")
    }

    /// The name of a slot of the default namespace: its key, with the epoch in front. A cache must have used the server.
    pub fn slot(&self, key: &str) -> String {
        let record: String = self.ask(&["GET", "cache:0:epoch"]);
        let generation = record.split('.').next().unwrap_or_default();
        format!("cache:0.{generation}:{key}")
    }

    /// How often a command was called since the last `CONFIG RESETSTAT`.
    pub fn calls_of(&self, command: &str) -> u64 {
        let stats: String = self.ask(&["INFO", "commandstats"]);
        let line = format!("cmdstat_{command}:calls=");
        stats
            .lines()
            .find_map(|l| l.strip_prefix(&line)?.split(',').next()?.parse().ok())
            .unwrap_or(0)
    }

    fn launch(&mut self) -> bool {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(&self.options)
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let mut pid = String::new();
        let output = guard.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut pid).expect("the pid");
        let pid = pid.trim().parse().expect("a pid");
        self.process = Some(Process { guard, pid });
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(20) {
            if !signal(pid, "-0") {
                // Not installed, or the port was taken.
                return false;
            }
            let answered = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))
                .and_then(|client| client.get_connection_with_timeout(Duration::from_secs(1)))
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
            if answered.is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn signal(&self, name: &str) {
        let pid = self.process.as_ref().expect("a running server").pid;
        assert!(signal(pid, name), "kill {name} {pid}");
    }
}

/// Sends a signal; whether there was a process to take it.
fn signal(pid: u32, name: &str) -> bool {
    let sent = Command::new("kill")
        .args([name, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
    sent.is_ok_and(|status| status.success())
}

impl Drop for Process {
    fn drop(&mut self) {
        // Told by the end of its input, the shell kills the server, also a frozen one.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
