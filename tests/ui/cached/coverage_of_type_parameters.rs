use cache_runtime::cached;

trait Table {
    const NAME: &'static str;
    type Row;
}

#[cached(key = "count:<id>", ttl = 60)]
async fn count<T: Table, const N: usize>(id: u64) -> String {
    format!("{} {id} {N}", T::NAME)
}

#[cached(key = "row:<id>", ttl = 60)]
async fn row<T: Table>(id: u64) -> Option<T::Row> {
    let _ = id;
    None
}

fn main() {}
