use cache_runtime::invalidates;

#[invalidates("user:<id>", on_error = "panic")]
async fn change(id: u64) -> Result<(), String> {
    let _ = id;
    Ok(())
}

fn main() {}
