use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
async fn find(id: u64) -> Option<u64> {
    // These shadow names that an expansion could need.
    #[allow(dead_code)]
    struct SITE;
    #[allow(dead_code)]
    enum Probe {}
    fn shape() -> u64 {
        1
    }
    use std::option::Option as Other;
    let found: Other<u64> = Some(id + shape());
    found
}

#[tokio::main]
async fn main() {
    assert_eq!(find(1).await, Some(2));
}
