//! Annotate a function, call it, watch it run or not run. Needs no server:
//!
//! ```sh
//! cargo run --example quickstart
//! CACHE_ENABLED=false cargo run --example quickstart
//! REDIS_URL=redis://127.0.0.1 cargo run --example quickstart
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cache_runtime::{Cache, CacheConfig, Mode, cached, invalidates};
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use tokio::task::JoinSet;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

/// Stands for a database: slow to ask, and it counts the questions.
#[derive(Default)]
struct Repository {
    users: RwLock<HashMap<u64, String>>,
    queries: AtomicU64,
}

impl Repository {
    #[cached(key = "user:<id>", ttl = "1h")]
    async fn find_user(&self, id: u64) -> Option<User> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(40)).await;
        let name = self.users.read().await.get(&id)?.clone();
        Some(User { id, name })
    }

    #[invalidates("user:<id>")]
    async fn rename_user(&self, id: u64, name: &str) {
        self.users.write().await.insert(id, name.to_owned());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // At start-up, so that a wrong environment is an error to be seen. Without this the first call does it.
    cache_runtime::install(Cache::new(CacheConfig::from_env()?)?)?;

    let repository = Arc::new(Repository::default());
    for (id, name) in [(1, "Ada"), (2, "Grace")] {
        repository.rename_user(id, name).await;
    }

    println!(
        "{:<26}{:<14}{:<13}{:>8}{:>10}",
        "call", "answer", "how", "time", "body ran"
    );
    show(&repository, "find_user(1)", repository.find_user(1)).await;
    show(&repository, "find_user(1)", repository.find_user(1)).await;
    show(&repository, "find_user(2)", repository.find_user(2)).await;
    show(&repository, "rename_user(1, Lovelace)", async {
        repository.rename_user(1, "Lovelace").await;
        None
    })
    .await;
    show(&repository, "find_user(1)", repository.find_user(1)).await;
    show(&repository, "find_user(1)", repository.find_user(1)).await;
    // Nobody: `None` is not cached unless asked for with `none_ttl`.
    show(&repository, "find_user(3)", repository.find_user(3)).await;
    show(&repository, "find_user(3)", repository.find_user(3)).await;

    println!("\n500 callers of one cold key:");
    repository.rename_user(1, "Countess").await;
    let before = repository.queries.load(Ordering::Relaxed);
    let callers: JoinSet<_> = (0..500)
        .map(|_| repository.clone())
        .map(|repository| async move { repository.find_user(1).await })
        .collect();
    callers.join_all().await;
    println!(
        "  the body ran {} times",
        repository.queries.load(Ordering::Relaxed) - before
    );

    println!("\nSwitched off, as by CACHE_ENABLED=false:");
    cache_runtime::global().set_mode(Mode::Off)?;
    show(&repository, "find_user(1)", repository.find_user(1)).await;
    show(&repository, "find_user(1)", repository.find_user(1)).await;
    Ok(())
}

/// Prints a call with what became of it.
async fn show(repository: &Repository, name: &str, call: impl Future<Output = Option<User>>) {
    let cache = cache_runtime::global();
    let (before, started) = (cache.stats(), Instant::now());
    let answer = call.await.map_or_else(|| "-".to_owned(), |user| user.name);
    let (time, after) = (started.elapsed(), cache.stats());
    let how = if after.hits > before.hits {
        "hit"
    } else if after.loads > before.loads {
        "load"
    } else if after.invalidations > before.invalidations {
        "invalidates"
    } else {
        "bypassed"
    };
    let queries = repository.queries.load(Ordering::Relaxed);
    println!("{name:<26}{answer:<14}{how:<13}{time:>8.1?}{queries:>10}");
}
