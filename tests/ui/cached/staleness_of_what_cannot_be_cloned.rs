use cache_runtime::cached;

struct Connection;

struct Repository {
    connection: Connection,
}

#[cached(key = "a:<id>", ttl = "1m", stale_while_revalidate = "1m", skip(connection))]
async fn an_argument(connection: &Connection, id: u64) -> u64 {
    let _ = connection;
    id
}

impl Repository {
    #[cached(key = "b:<id>", ttl = "1m", stale_while_revalidate = "1m")]
    async fn a_receiver(&self, id: u64) -> u64 {
        let _ = &self.connection;
        id
    }
}

fn main() {}
