use cache_runtime::write_through;

#[write_through]
async fn save() -> u64 {
    1
}

fn main() {}
