use cache_runtime::{Cache, cached, invalidates, write_through};

#[derive(Clone)]
struct State {
    cache: Cache,
}

fn shared() -> &'static Cache {
    cache_runtime::global()
}

#[cached(key = "user:<id>", ttl = 60, cache = state.cache, skip(state))]
async fn of_argument(state: State, id: u64) -> u64 {
    drop(state);
    id
}

#[cached(key = "user:<id>", ttl = 60, cache = shared(), when = |id| *id > 0)]
async fn of_function(id: u64) -> Option<u64> {
    Some(id)
}

#[async_trait::async_trait]
trait Users {
    async fn find(&self, id: u64) -> Result<String, String>;
    async fn rename(&self, id: u64, name: &str) -> Result<String, String>;
    async fn save(&self, id: u64) -> Result<String, String>;
}

#[async_trait::async_trait]
impl Users for State {
    #[cached(key = "user:<id>", ttl = 60, cache = self.cache)]
    async fn find(&self, id: u64) -> Result<String, String> {
        Ok(id.to_string())
    }

    #[invalidates("user:<id>", fence, cache = &self.cache)]
    async fn rename(&self, id: u64, name: &str) -> Result<String, String> {
        Ok(format!("{id}{name}"))
    }

    #[write_through(key = "user:<id>", ttl = 60, cache = self.cache)]
    async fn save(&self, id: u64) -> Result<String, String> {
        Ok(id.to_string())
    }
}

fn is_send<T: Send>(_: T) {}

fn main() {
    let state = State { cache: shared().clone() };
    is_send(of_argument(state.clone(), 1));
    is_send(of_function(1));
    is_send(state.find(1));
}
