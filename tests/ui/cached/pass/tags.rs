use std::time::Duration;

use cache_runtime::{cached, invalidates, write_through};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Page(String);

struct Site {
    tenant: u64,
}

impl Site {
    #[cached(
        key = "page:<self.tenant>:<path>",
        ttl = if path.is_empty() { Duration::ZERO } else { Duration::from_secs(60) },
        none_ttl = "1m",
        when = |page| !page.0.is_empty(),
        version = 3,
        tags = ["tenant:<self.tenant>", "path:<path:hash>", "pages"],
    )]
    async fn page(&self, path: String) -> Result<Option<Page>, String> {
        Ok(Some(Page(path)))
    }

    #[write_through(key = "page:<self.tenant>:<path>", ttl = 60, tags = ["tenant:<self.tenant>"])]
    async fn save(&self, path: &str) -> Page {
        Page(path.to_owned())
    }

    #[invalidates(tag = "tenant:<self.tenant>", tag = "path:<path:hash>", fence)]
    async fn rename(&self, path: &str) -> Result<(), String> {
        Err(path.to_owned())
    }
}

#[invalidates("page:<id>", tag = "pages", tag = "author:<return>")]
async fn publish(id: u64) -> u64 {
    id
}

#[async_trait::async_trait]
trait Pages {
    async fn find(&self, id: u64) -> Page;
}

#[async_trait::async_trait]
impl Pages for Site {
    #[cached(key = "found:<id>", ttl = 60, tags = ["tenant:<self.tenant>"])]
    async fn find(&self, id: u64) -> Page {
        Page(id.to_string())
    }
}

fn main() {}
