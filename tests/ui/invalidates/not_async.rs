use cache_runtime::invalidates;

#[invalidates("user:<id>")]
fn change(id: u64) {
    drop(id);
}

fn main() {}
