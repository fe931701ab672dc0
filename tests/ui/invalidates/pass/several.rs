//! Arguments that hold several make one key each.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use cache_runtime::{call_sites, invalidates};

struct User {
    id: u64,
}

#[invalidates("user:<ids>", "tenant:<tenant>:<ids>", "all", tag = "user:<ids>")]
async fn slice(tenant: &str, ids: &[u64]) {
    let _ = (tenant, ids);
}

#[invalidates("user:<ids>", fence)]
async fn consumed(ids: Vec<u64>) -> usize {
    ids.into_iter().count()
}

#[invalidates("user:<users.id>", "dashboard:<users.id>:*")]
async fn fields(users: &mut [User]) {
    users.reverse();
}

#[invalidates("a:<a>", "b:<b>", "c:<c>", "d:<d>", "e:<e:hash>")]
async fn kinds<const N: usize>(a: [u64; N], b: &HashSet<String>, c: BTreeSet<u8>, d: VecDeque<u64>, e: Arc<[String]>) {
    let _ = (a, b, c, d, e);
}

#[tokio::main]
async fn main() {
    slice("a", &[1, 2]).await;
    consumed(vec![1]).await;
    fields(&mut [User { id: 1 }]).await;
    kinds([1, 2], &HashSet::new(), BTreeSet::new(), VecDeque::new(), Arc::new([])).await;
    assert_eq!(call_sites().count(), 4);
}
