use cache_runtime::cached;

#[cached(key = "session:<token:hsah>", ttl = 60)]
async fn find(token: &str) -> String {
    token.to_owned()
}

fn main() {}
