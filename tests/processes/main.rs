//! Promises that only several processes, or a process with an environment of its own, can show.

use std::process::Command;

use cache_tests::{RedisServer, stampede};

/// A worker whose environment holds nothing of ours but `vars`.
fn worker(args: &[&str], vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    for name in [
        "REDIS_URL",
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_PASSWORD",
        "CACHE_ENABLED",
        "REDIS_ENABLED",
        "CACHE_NAMESPACE",
        "CACHE_EPOCH",
    ] {
        command.env_remove(name);
    }
    command.args(args).envs(vars.iter().copied());
    command
}

fn output(mut command: Command) -> String {
    let output = command.output().expect("a worker");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn one_load_of_a_cold_key_over_four_processes() {
    let server = RedisServer::start();
    let url = server.url();
    let outcome =
        stampede::direct((0..4).map(|_| worker(&["stampede", "125"], &[("REDIS_URL", &url)])));
    println!("{outcome:?}");
    assert_eq!(outcome.runs.iter().sum::<usize>(), 1, "one load in all");
}

#[test]
fn switched_on_the_second_read_is_a_hit_and_a_change_is_seen() {
    let server = RedisServer::start();
    assert_eq!(
        output(worker(&["switch"], &[("REDIS_URL", &server.url())])),
        "runs=2 mode=On"
    );
    assert_eq!(
        output(worker(&["switch"], &[])),
        "runs=2 mode=On",
        "embedded"
    );
}

#[test]
fn with_cache_enabled_false_redis_sees_invalidations_and_no_read() {
    let server = RedisServer::start();
    // What an earlier life of the service left, to be invalidated.
    let vars = [("REDIS_URL", &*server.url())];
    assert_eq!(output(worker(&["switch"], &vars)), "runs=2 mode=On");
    let slot = &server.slot("worker:1");
    assert_eq!(server.ask::<u64>(&["EXISTS", slot]), 1);
    let _: () = server.ask(&["CONFIG", "RESETSTAT"]);
    let vars = [("REDIS_URL", &*server.url()), ("CACHE_ENABLED", "false")];
    assert_eq!(output(worker(&["switch"], &vars)), "runs=4 mode=Off");
    assert_eq!(server.calls_of("get"), 0, "no read");
    assert!(
        server.calls_of("evalsha") + server.calls_of("eval") > 0,
        "invalidations still arrive"
    );
    assert_eq!(server.ask::<u64>(&["EXISTS", slot]), 0, "and act");
}

#[test]
fn with_redis_enabled_false_redis_sees_no_connection() {
    let server = RedisServer::start();
    let connections = || -> u64 {
        let stats: String = server.ask(&["INFO", "stats"]);
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_connections_received:"));
        line.and_then(|count| count.trim().parse().ok())
            .expect("a count")
    };
    let before = connections();
    let vars = [("REDIS_URL", &*server.url()), ("REDIS_ENABLED", "false")];
    assert_eq!(output(worker(&["switch"], &vars)), "runs=4 mode=Detached");
    assert_eq!(connections(), before + 1, "only this question's own");
}

/// Not the embedded store either, and no crash: the log says why.
#[test]
fn a_wrong_environment_leaves_the_cache_off() {
    for (variable, value) in [
        ("CACHE_ENABLED", "maybe"),
        ("CACHE_EPOCH", "x"),
        ("REDIS_URL", "redis://:s3cret@host:port"),
    ] {
        let output = worker(&["switch"], &[(variable, value)])
            .output()
            .expect("a worker");
        assert!(output.status.success());
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(printed.trim(), "runs=4 mode=Detached", "{variable}");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(
            log.contains("ERROR") && log.contains(&format!("{variable} is ")),
            "{log}"
        );
        assert!(!log.contains("s3cret"), "{log}");
    }
}

/// A new epoch begins with an empty cache, a namespace is a cache of its own.
#[test]
fn namespace_and_epoch_stand_in_front_of_every_key() {
    let server = RedisServer::start();
    let url = server.url();
    for (namespace, epoch) in [("cache", "0"), ("cache", "1"), ("shop", "1")] {
        let vars = [
            ("REDIS_URL", &*url),
            ("CACHE_NAMESPACE", namespace),
            ("CACHE_EPOCH", epoch),
        ];
        assert_eq!(output(worker(&["switch"], &vars)), "runs=2 mode=On");
        let key = format!("{namespace}:{epoch}.*:worker:1");
        assert_eq!(server.ask::<Vec<String>>(&["KEYS", &key]).len(), 1, "{key}");
    }
}
