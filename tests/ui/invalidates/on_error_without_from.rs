use cache_runtime::invalidates;

struct DbError;

#[invalidates("user:<id>", on_error = "fail")]
async fn change(id: u64) -> Result<u64, DbError> {
    Ok(id)
}

fn main() {}
