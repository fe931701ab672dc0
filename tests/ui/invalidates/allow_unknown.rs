use cache_runtime::invalidates;

#[invalidates("user:<id>", allow = "unmatched_invalidations")]
async fn change(id: u64) {
    let _ = id;
}

#[invalidates("user:<id>", allow = "never_invalidated")]
async fn change_again(id: u64) {
    let _ = id;
}

fn main() {}
