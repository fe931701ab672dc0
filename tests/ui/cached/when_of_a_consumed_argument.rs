use cache_runtime::cached;

#[cached(key = "user:<name>", ttl = "1h", when = |found| *found != name)]
async fn find(name: String) -> String {
    name
}

fn main() {}
