use cache_runtime::invalidates;

#[invalidates("user:<id>", on_error = "fail")]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
