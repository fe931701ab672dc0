use cache_runtime::CacheKey;

#[derive(CacheKey)]
#[cache_key("price:<amount>")]
struct PriceKey {
    amount: f64,
}

fn main() {}
