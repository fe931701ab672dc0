//! What a call sends to Redis, as `MONITOR` shows it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use anyhow::Result;
use cache_tests::RedisServer;

use crate::workload::Slice;

/// How often each command comes in one call. What a script does inside of Redis is not among them.
pub(crate) type Commands = BTreeMap<String, f64>;

/// Rarer than this in a call, it is no part of it: looks at the epoch, and other things done by time.
const OCCASIONAL: f64 = 0.02;

/// Watches the server while `calls` is under way.
pub(crate) fn watch(
    server: &RedisServer,
    calls: impl FnOnce() -> Result<Slice>,
) -> Result<Commands> {
    const END: &str = "the end of the calls";
    let mut monitor = TcpStream::connect(("127.0.0.1", server.port()))?;
    monitor.write_all(b"MONITOR\r\n")?;
    let mut lines = BufReader::new(monitor).lines();
    lines.next().transpose()?;
    // The output waits in the server until it is read, up to a limit that so short a slice does not reach.
    let slice = calls()?;
    let _: String = server.ask(&["ECHO", END]);

    let mut counts = BTreeMap::<String, u32>::new();
    for line in lines {
        let line = line?;
        if line.contains(END) {
            break;
        }
        // 1339518083.107412 [0 127.0.0.1:60866] "get" "user:1"
        let Some((client, command)) = line.split_once("] \"") else {
            continue;
        };
        if client.ends_with(" lua") {
            continue;
        }
        let name = command.split('"').next().unwrap_or_default();
        *counts.entry(name.to_ascii_uppercase()).or_default() += 1;
    }
    #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
    let calls = slice.calls as f64;
    let each = counts
        .into_iter()
        .map(|(name, count)| (name, f64::from(count) / calls));
    Ok(each.filter(|(_, count)| *count >= OCCASIONAL).collect())
}
