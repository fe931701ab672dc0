use std::time::Duration;

use cache_runtime::cached;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    is_active: bool,
    ttl: Duration,
}

impl User {
    fn is_active(&self) -> bool {
        self.is_active
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[cached(key = "constant:<id>", ttl = HOUR)]
async fn constant(id: u64) -> u64 {
    id
}

#[cached(key = "argument:<id>", ttl = ttl, skip(ttl))]
async fn argument(id: u64, ttl: Duration) -> u64 {
    id + ttl.as_secs()
}

#[cached(key = "consumed:<name>", ttl = if name.is_empty() { Duration::ZERO } else { HOUR })]
async fn consumed(name: String) -> String {
    name
}

#[cached(key = "closure:<id>", ttl = "1h", when = |user| user.is_active)]
async fn closure(id: u64) -> std::io::Result<Option<User>> {
    let _ = id;
    Ok(None)
}

#[cached(key = "path:<id>", ttl_by = |user| user.ttl, when = User::is_active)]
async fn path(id: u64) -> Option<User> {
    let _ = id;
    None
}

#[cached(key = "generic:<id>:<first>", when = |values| !values.is_empty(), ttl_by = |values| HOUR * values.len() as u32)]
async fn generic<T: Clone + Send + Sync + Serialize + serde::de::DeserializeOwned + 'static>(id: u64, first: T) -> Vec<T>
where
    T: cache_runtime::KeyPart,
{
    let _ = id;
    vec![first]
}

fn main() {}
