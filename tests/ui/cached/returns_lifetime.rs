use cache_runtime::cached;

use std::borrow::Cow;

#[cached(key = "user:<name>", ttl = 60)]
async fn find(name: &str) -> Cow<'_, str> {
    name.into()
}

fn main() {}
