#![deny(warnings)]

use std::ops::Add;

use cache_runtime::{CacheKey, cached, invalidates};

#[cached(key = "recursive:<n>", ttl = 60)]
async fn recursive(n: u64) -> u64 {
    if n == 0 { 0 } else { n + Box::pin(recursive(n - 1)).await }
}

#[cached(key = "never:<n>", ttl = 60)]
async fn never(n: u64) -> u64 {
    panic!("{n}")
}

#[cached(key = "endless:<n>", ttl = 60)]
async fn endless(n: u64) -> u64 {
    loop {
        tokio::task::yield_now().await;
        if n > 0 {
            break n;
        }
    }
}

#[cached(key = "nested:<n>", ttl = 60)]
async fn nested(n: u64) -> Result<u64, String> {
    let parse = |text: &str| -> Result<u64, std::num::ParseIntError> { Ok(text.parse::<u64>()? + n) };
    let inner = async { parse("1").map_err(|error| error.to_string()) };
    let n = inner.await?;
    let inner = async move {
        if n > 100 {
            return Err("large");
        }
        Ok(n)
    };
    Ok(inner.await?)
}

#[cached(key = "labels:<n>", ttl = 60)]
async fn labels(n: u64) -> u64 {
    'found: {
        for i in 0..n {
            if i * i > n {
                break 'found i;
            }
        }
        0
    }
}

#[cached(key = "macros:<n>", ttl = 60)]
async fn macros(n: u64) -> Vec<String> {
    let text = format!("{n}");
    vec![text; 2]
}

#[derive(CacheKey)]
#[cache_key("sum:<0>")]
struct Sum(u64);

impl Add<u64> for Sum {
    type Output = Sum;

    fn add(self, other: u64) -> Sum {
        Sum(self.0 + other)
    }
}

fn temporary() -> String {
    String::from("t")
}

#[derive(CacheKey)]
#[cache_key("text:<0>")]
struct Text<'a>(&'a str);

fn text(text: &str) -> Text<'_> {
    Text(text)
}

#[invalidates(Sum(1) + n, if n > 1 { Sum(n) } else { Sum(0) }, text(&temporary()), Text(&temporary()))]
async fn operators(n: u64) -> u64 {
    n
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::main]
async fn main() {
    assert_eq!(assert_send(recursive(3)).await, 6);
    let _ = never;
    assert_eq!(endless(1).await, 1);
    assert_eq!(nested(1).await, Ok(2));
    assert_eq!(labels(5).await, 3);
    assert_eq!(macros(1).await, ["1", "1"]);
    assert_eq!(operators(1).await, 1);
}
