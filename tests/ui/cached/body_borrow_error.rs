use cache_runtime::cached;

#[cached(key = "user:<name>", ttl = 60)]
async fn find(name: String) -> String {
    drop(name);
    name
}

fn main() {}
