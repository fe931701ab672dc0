use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
#[deny(unused_variables, unused_mut)]
pub async fn find(id: u64) -> u64 {
    let mut unused = 1;
    id
}

fn main() {}
