use std::io;

use cache_runtime::cached;

type Aliased<T> = Result<Option<T>, Failure>;

#[derive(Debug)]
struct Failure;

#[cached(key = "plain:<id>", ttl = 60)]
async fn plain(id: u64) -> u64 {
    id
}

#[cached(key = "option:<id>", ttl = "5m", none_ttl = "30s", local_ttl = "5s")]
async fn option(id: u64) -> Option<u64> {
    if id == 0 {
        return None;
    }
    Some(id)
}

#[cached(key = "result:<id>", ttl = "1h 30m")]
async fn result(id: &str) -> Result<u64, std::num::ParseIntError> {
    let id = id.parse::<u64>()?;
    Ok(id)
}

#[cached(key = "alias:<id>", ttl = "500ms")]
async fn alias(id: u64) -> Aliased<u64> {
    if id == 0 {
        Err(Failure)?;
    }
    Ok(Some(id))
}

#[cached(key = "io:<id>", ttl = 1)]
async fn io_result(id: u64) -> io::Result<u64> {
    Ok(id)
}

#[cached(key = "arc:<id>", ttl = 1)]
async fn vector(id: u64) -> Vec<u64> {
    vec![id]
}

#[cached(key = "early:<id>", ttl = 1)]
async fn early(id: u64) -> u64 {
    loop {
        if id > 0 {
            return id;
        }
    }
}

#[tokio::main]
async fn main() {
    assert_eq!(plain(1).await, 1);
    assert_eq!(option(0).await, None);
    assert_eq!(option(1).await, Some(1));
    assert_eq!(result("1").await, Ok(1));
    assert!(result("x").await.is_err());
    assert!(alias(0).await.is_err());
    assert_eq!(io_result(1).await.ok(), Some(1));
    assert_eq!(vector(1).await, [1]);
    assert_eq!(early(1).await, 1);
}
