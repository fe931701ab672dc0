use std::fmt::Display;
use std::hash::Hash;

use cache_runtime::{CacheValue, KeyPart, cached};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cached(key = "type:<id>", ttl = 60, skip(value))]
async fn types<T, K: KeyPart + Hash>(id: K, value: T) -> Result<Option<T>, String>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    drop(id);
    Ok(Some(value))
}

#[cached(key = "lifetime:<name>:<other>", ttl = 60)]
async fn lifetimes<'a, 'b: 'a>(name: &'a str, other: &'b str) -> String {
    name.to_owned() + other
}

#[cached(key = "impl:<shown>", ttl = 60)]
async fn impl_trait(shown: impl Display + KeyPart) -> String {
    shown.to_string()
}

#[cached(key = "const:<array>", ttl = 60)]
async fn consts<const N: usize>(array: Wrapped<N>) -> usize {
    array.0.len() + N
}

struct Wrapped<const N: usize>([u8; N]);

impl<const N: usize> KeyPart for Wrapped<N> {
    fn write_part(&self, part: &mut cache_runtime::PartWriter<'_>) {
        part.push_display(&N);
    }
}

struct Repo<T>(T);

impl<T: KeyPart + CacheValue> Repo<T> {
    #[cached(key = "generic_self:<self.0>", ttl = 60)]
    async fn get(&self) -> T {
        self.0.clone()
    }
}

#[tokio::main]
async fn main() {
    assert_eq!(types(1_u8, 2_u8).await, Ok(Some(2)));
    assert_eq!(lifetimes("a", "b").await, "ab");
    assert_eq!(impl_trait(5_u8).await, "5");
    assert_eq!(consts(Wrapped([0; 3])).await, 6);
    assert_eq!(Repo(7_u64).get().await, 7);
}
