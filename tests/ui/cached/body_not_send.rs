use cache_runtime::cached;

use std::rc::Rc;

#[cached(key = "user:<id>", ttl = 60)]
async fn find(id: u64) -> u64 {
    let shared = Rc::new(id);
    std::future::ready(()).await;
    *shared
}

fn assert_send(_: impl Send) {}

fn use_it() {
    assert_send(find(1));
}

fn main() {}
