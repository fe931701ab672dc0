use cache_runtime::{cached, invalidates};

macro_rules! finder {
    ($name:ident, $key:literal, $ttl:literal, $argument:ident: $ty:ty, $returned:ty, $value:expr) => {
        #[cached(key = $key, ttl = $ttl)]
        async fn $name($argument: $ty) -> $returned {
            $value
        }
    };
}

finder!(one, "one:<id>", 60, id: u64, Option<u64>, Some(id));
finder!(two, "two:<name>", "5m", name: &str, String, name.to_owned());

macro_rules! own_names {
    ($name:ident) => {
        #[cached(key = "own:<id>", ttl = 60)]
        async fn $name(id: u64) -> u64 {
            let call = id;
            call
        }

        #[invalidates("own:<id>")]
        async fn forget(id: u64) {
            let _ = id;
        }
    };
}

own_names!(three);

#[tokio::main]
async fn main() {
    assert_eq!(one(1).await, Some(1));
    assert_eq!(two("x").await, "x");
    assert_eq!(three(3).await, 3);
    forget(3).await;
}
