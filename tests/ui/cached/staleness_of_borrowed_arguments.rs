use std::borrow::Cow;

use cache_runtime::cached;

struct Connection;

struct Repository {
    rows: Vec<u64>,
}

#[cached(key = "a:<id>", ttl = "1m", stale_while_revalidate = "1m", skip(connection))]
async fn borrowed_mutably(connection: &mut Connection, id: u64) -> u64 {
    let _ = connection;
    id
}

#[cached(key = "b:<name>", ttl = "1m", stale_while_revalidate = "1m")]
async fn borrows_inside(name: Option<&str>) -> usize {
    name.map_or(0, str::len)
}

#[cached(key = "c:<name>", ttl = "1m", refresh_ahead = 0.9)]
async fn borrows_by_lifetime(name: Cow<'_, str>) -> usize {
    name.len()
}

#[cached(key = "d:<id>", ttl = "1m", stale_while_revalidate = "1m")]
async fn taken_apart(&(id, _other): &(u64, u64)) -> u64 {
    id
}

impl Repository {
    #[cached(key = "e:<id>", ttl = "1m", stale_while_revalidate = "1m")]
    async fn of_a_mutable_self(&mut self, id: u64) -> u64 {
        self.rows.push(id);
        id
    }
}

fn main() {}
