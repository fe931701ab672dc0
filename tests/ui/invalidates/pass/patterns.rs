use cache_runtime::invalidates;

struct Service {
    tenant: String,
}

impl Service {
    #[invalidates("page:<self.tenant>:*", "page:<self.tenant>", tag = "tenant:<self.tenant>")]
    async fn change(&self) -> Result<(), String> {
        Err(self.tenant.clone())
    }

    #[invalidates("page:<return.0>:<self.tenant>-<part>:*", on_error = "proceed")]
    async fn publish(&self, part: String) -> Option<(u64, String)> {
        Some((1, part))
    }
}

#[invalidates("all:*")]
async fn everything() {}

fn main() {}
