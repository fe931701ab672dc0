use cache_runtime::cached;

#[cached]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
