use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60, skip(names))]
async fn find(names: &[String], id: usize) -> Option<&String> {
    names.get(id)
}

fn main() {}
