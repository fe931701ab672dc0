use cache_runtime::{InvalidationError, invalidates};

enum DbError {
    Cache(Option<u64>),
}

impl From<InvalidationError<u64>> for DbError {
    fn from(error: InvalidationError<u64>) -> Self {
        Self::Cache(error.into_value())
    }
}

struct Repository {
    tenant: String,
}

impl Repository {
    #[invalidates("user:<self.tenant>:<id>", fence)]
    async fn fenced(&self, id: u64) -> &str {
        let _ = id;
        &self.tenant
    }

    #[invalidates("user:<self.tenant>:<id>", "users", fence, on_error = "fail")]
    async fn fenced_or_fail(&self, id: u64) -> Result<u64, DbError> {
        if id == 0 {
            return Err(DbError::Cache(None));
        }
        Ok(id)
    }
}

#[invalidates("user:<return>", on_error = "fail")]
async fn by_return(id: u64) -> Result<u64, DbError> {
    Ok(id)
}

#[invalidates("user:<id>", on_error = "proceed")]
async fn proceed(id: u64) {
    let _ = id;
}

#[invalidates("user:<id>", on_error = "fail")]
async fn boxed_error(id: u64) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    Ok(id)
}

/// An argument of this name is a key, as any other expression is.
#[invalidates(fence)]
async fn argument(fence: cache_runtime::Key) {
    let _ = fence;
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let repository = Repository { tenant: "a".to_owned() };
    assert_eq!(repository.fenced(1).await, "a");
    assert!(matches!(repository.fenced_or_fail(1).await, Ok(1)));
    assert!(matches!(repository.fenced_or_fail(0).await, Err(DbError::Cache(None))));
    assert!(by_return(1).await.is_ok());
    proceed(1).await;
    assert!(boxed_error(1).await.is_ok());
    argument(cache_runtime::Key::of("x")).await;
}
