// Attributes that rewrite the function, above and below: here those of tokio, which rewrite bodies.
use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
#[must_use]
async fn find(id: u64) -> u64 {
    id
}

#[cached(key = "main", ttl = 60)]
#[tokio::main]
async fn run() -> u64 {
    find(1).await
}

fn main() {
    assert_eq!(run(), 1);
}
