use cache_runtime::invalidates;

#[invalidates("pair:<a>:<b>")]
async fn two(a: &[u64], b: &[u64]) {}

#[invalidates("pair:<ids>:<return>")]
async fn with_return(ids: &[u64]) -> u64 {
    0
}

fn main() {}
