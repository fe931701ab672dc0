use cache_runtime::cached;

type Name<'a> = &'a str;

#[cached(key = "user:<name>", ttl = 60)]
async fn find(name: &str) -> Name<'_> {
    name
}

fn main() {}
