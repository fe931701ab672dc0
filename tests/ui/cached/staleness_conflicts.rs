use cache_runtime::cached;

#[cached(key = "a:<id>", ttl = "1m", timeout = "100ms")]
async fn no_stale_value_to_return(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cached(key = "b:<id>", ttl = "1m", stale_if_error = "1m", timeout = "100ms", refresh = "inline")]
async fn nobody_to_go_on(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cached(key = "c:<id>", ttl = "1m", stale_if_error = "1m", refresh = "inline")]
async fn nothing_is_refreshed(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cached(key = "d:<id>", ttl = "1m", stale_if_error = "1m")]
async fn no_error(id: u64) -> Option<u64> {
    Some(id)
}

#[cached(key = "e:<id>", ttl = "1m", refresh_ahead = 1.5)]
async fn no_share(id: u64) -> u64 {
    id
}

#[cached(key = "f:<id>", ttl = "1m", refresh_ahead = "90%")]
async fn no_number(id: u64) -> u64 {
    id
}

#[cached(key = "g:<id>", ttl = "1m", stale_while_revalidate = 0)]
async fn no_time(id: u64) -> u64 {
    id
}

#[cached(key = "h:<id>", ttl = "1m", stale_while_revalidate = "1m", refresh = "later")]
async fn no_way(id: u64) -> u64 {
    id
}

fn main() {}
