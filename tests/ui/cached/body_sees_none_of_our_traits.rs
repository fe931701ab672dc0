use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
async fn find(id: u64) -> u64 {
    let probe = cache_runtime::__private::Probe::<u64>::new();
    let _ = probe.shape();
    id
}

fn main() {}
