//! The stores against the slot table: random histories of steps, on a real server and on the embedded store.

use std::time::Duration;

use bytes::Bytes;
use cache_runtime::__private::{apply_step, apply_step_to_all};
use cache_runtime::slot::{Reply, Slot, Step, Token, apply};
use cache_runtime::{Cache, CacheConfig, Key};
use cache_tests::RedisServer;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const TTL: Duration = Duration::from_secs(100);

type Kind = fn([Token; 2], Bytes) -> Vec<Step<Bytes>>;

/// A few steps with their tokens by number, so that histories shrink and meet.
#[derive(Clone, Debug)]
struct Planned(Kind, [usize; 2], u8);

fn histories() -> impl Strategy<Value = Vec<Planned>> {
    let kinds: Vec<Kind> = vec![
        |_, _| vec![Step::Read],
        |[lease, _], _| vec![Step::Acquire { lease, over: None }],
        |[lease, over], _| {
            let over = Some(over);
            vec![Step::Acquire { lease, over }]
        },
        |[token, _], _| vec![Step::Renew(token)],
        |[token, _], value| vec![Step::Fill(token, value)],
        |[token, next], value| vec![Step::Refresh { token, next, value }],
        |[token, _], _| vec![Step::Release(token)],
        |_, _| vec![Step::Invalidate],
        |[token, _], _| vec![Step::Raise(token)],
        |[token, _], _| vec![Step::Hold(token)],
        |[token, _], _| vec![Step::Lower(token)],
        |[token, _], value| vec![Step::Put(token, value)],
        |_, _| vec![Step::Expire],
        // What leads to a value, so that steps on values are as common as steps on nothing.
        |[lease, _], value| {
            vec![
                Step::Acquire { lease, over: None },
                Step::Fill(lease, value),
            ]
        },
        |[token, _], value| vec![Step::Expire, Step::Raise(token), Step::Put(token, value)],
    ];
    let planned = (prop::sample::select(kinds), [0..3_usize, 0..3], any::<u8>())
        .prop_map(|(kind, tokens, value)| Planned(kind, tokens, value));
    prop::collection::vec(planned, 1..60)
}

/// Each step is carried out on one key alone, and on two others together, where there is a way to do that.
fn check(cache: &Cache, count: u32, never_expires: impl Fn(&str) -> bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let run = |key: &Key, step| {
        runtime
            .block_on(apply_step(cache, key, step, TTL))
            .map_err(|error| TestCaseError::fail(error.to_string()))
    };
    let run_on_both = |keys: &[Key; 2], step: Step<Bytes>| {
        let is_for_many = matches!(
            step,
            Step::Read | Step::Acquire { .. } | Step::Fill(..) | Step::Refresh { .. }
        );
        if !is_for_many {
            return keys.iter().map(|key| run(key, step.clone())).collect();
        }
        runtime
            .block_on(apply_step_to_all(cache, keys, &step, TTL))
            .map_err(|error| TestCaseError::fail(error.to_string()))
    };
    let mut runner = TestRunner::new(Config::with_cases(count));
    let result = runner.run(&histories(), |history| {
        let tokens: [Token; 3] = std::array::from_fn(|_| Token::next());
        let name = format!("{:?}", tokens[0]);
        let key = Key::of("history").part(&name);
        let both = [1_u8, 2].map(|n| key.clone().part(&n));
        let mut model = Slot::Empty;
        let steps = history
            .into_iter()
            .flat_map(|Planned(kind, [a, b], value)| {
                kind([tokens[a], tokens[b]], Bytes::from(vec![value; 3]))
            });
        for (number, step) in steps.enumerate() {
            let (next, expected) = apply(model, step.clone());
            model = next;
            prop_assert_eq!(
                run(&key, step.clone())?,
                expected.clone(),
                "step {}: {:?}",
                number,
                step
            );
            let of_both = run_on_both(&both, step.clone())?;
            prop_assert_eq!(
                of_both,
                vec![expected.clone(); 2],
                "step {} on both: {:?}",
                number,
                step
            );
            for key in [&key, &both[0], &both[1]] {
                prop_assert!(
                    !never_expires(key.as_str()),
                    "{:?} left a slot that never expires",
                    step
                );
            }
        }
        let last = apply(model, Step::Read).1;
        prop_assert_eq!(run(&both[1], Step::Read)?, last.clone());
        prop_assert_eq!(run(&key, Step::Read)?, last);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn the_scripts_of_the_redis_store_are_the_table() {
    let server = RedisServer::start();
    let config = CacheConfig::redis(&server.url())
        .expect("a URL")
        .store_budget(Duration::from_secs(20));
    let cache = Cache::new(config).expect("a cache");
    let connection = std::cell::RefCell::new(server.connection());
    let epoch = std::cell::OnceCell::new();
    check(&cache, 400, |key| {
        let ttl: i64 = redis::cmd("PTTL")
            .arg(format!("{}{key}", epoch.get_or_init(|| server.slot(""))))
            .query(&mut *connection.borrow_mut())
            .expect("an answer");
        ttl == -1 || ttl > 100_000
    });
}

#[test]
fn the_embedded_store_is_the_table() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    check(&cache, 2_000, |_| false);
}

/// What another program left under our key, of any type, is as good as nothing.
#[test]
fn foreign_keys_are_empty_slots() {
    let server = RedisServer::start();
    let config = CacheConfig::redis(&server.url())
        .expect("a URL")
        .store_budget(Duration::from_secs(20));
    let cache = Cache::new(config).expect("a cache");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let run = |step| {
        runtime
            .block_on(apply_step(&cache, &Key::of("k"), step, TTL))
            .expect("a reply")
    };
    // The first step makes the epoch.
    run(Step::Read);
    let slot = &server.slot("k");
    let foreign: [&[&str]; 4] = [
        &["SET", slot, "False"],
        &["RPUSH", slot, "x"],
        &["HSET", slot, "f", "v"],
        &[
            "SET",
            slot,
            "\u{00fa}0 a text that looks a little like a fence",
        ],
    ];
    for command in foreign {
        let token = Token::next();
        let steps = [
            (Step::Read, Reply::Miss),
            (Step::Renew(token), Reply::Refused),
            (Step::Fill(token, Bytes::from_static(b"v")), Reply::Refused),
            (Step::Release(token), Reply::Refused),
            (Step::Invalidate, Reply::Done),
            (
                Step::Acquire {
                    lease: token,
                    over: None,
                },
                Reply::Granted,
            ),
            (Step::Raise(token), Reply::Done),
            (Step::Hold(token), Reply::Done),
            (Step::Lower(token), Reply::Done),
            (Step::Put(token, Bytes::from_static(b"v")), Reply::Refused),
        ];
        for (step, expected) in steps {
            let _: () = server.ask(&["DEL", slot]);
            let _: redis::Value = server.ask(command);
            assert_eq!(run(step.clone()), expected, "{step:?} on {command:?}");
        }
    }
}
