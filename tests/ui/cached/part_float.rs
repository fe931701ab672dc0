use cache_runtime::cached;

#[cached(key = "price:<amount>", ttl = 60)]
async fn find(amount: f64) -> u64 {
    amount as u64
}

fn main() {}
