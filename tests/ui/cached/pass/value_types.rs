//! What the audit knows about the type of a value, which a `static` in a generic function cannot name.

use std::collections::HashMap;
use std::sync::Arc;

use cache_runtime::{CacheValue, CallSite, cached};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct User;

#[derive(Clone, Serialize, Deserialize)]
struct Page<T: Clone>(Vec<T>);

#[derive(Clone, Serialize, Deserialize)]
struct Matrix<const N: usize>(Vec<u8>);

type Found<T> = Result<Option<T>, std::io::Error>;

mod model {
    pub type Result<T> = std::result::Result<T, String>;

    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    pub struct Order;
}

#[cached(key = "a", ttl = 60)]
async fn optional() -> Result<Option<User>, std::io::Error> {
    Ok(None)
}

#[cached(key = "b", ttl = 60)]
async fn aliased() -> Found<crate::User> {
    Ok(None)
}

#[cached(key = "c", ttl = 60)]
async fn nested() -> model::Result<HashMap<u64, Vec<Arc<User>>>> {
    Ok(HashMap::new())
}

#[cached(key = "d", ttl = 60)]
async fn tuple() -> (String, [u8; 2], model::Order) {
    (String::new(), [0; 2], model::Order)
}

#[cached(key = "e", ttl = 60)]
async fn bounded() -> Page<model::Order> {
    Page(Vec::new())
}

#[cached(key = "f:<id>", ttl = 60)]
async fn parameter<T: CacheValue>(id: u64) -> Option<T> {
    let _ = id;
    None
}

struct Repository<Row, const SIZE: usize>(Row);

impl<Row: CacheValue, const SIZE: usize> Repository<Row, SIZE> {
    #[cached(key = "g", ttl = 60)]
    async fn of_impl(&self) -> Option<Row> {
        None
    }

    #[cached(key = "h", ttl = 60)]
    async fn in_a_bounded_type(&self) -> Option<Page<Row>> {
        None
    }

    #[cached(key = "i", ttl = 60)]
    async fn constant(&self) -> Option<Matrix<SIZE>> {
        None
    }

    #[cached(key = "j", ttl = 60)]
    async fn known(&self) -> Option<User> {
        None
    }

    #[cached(key = "k", ttl = 60)]
    async fn without_self() -> Vec<Row> {
        Vec::new()
    }
}

trait Table {
    type Row: CacheValue;

    #[cached(key = "l", ttl = 60)]
    async fn first(&self) -> Option<Self::Row> {
        None
    }
}

struct Users;

impl Table for Users {
    type Row = User;
}

struct Of<T>(T);

impl<T: Table> Of<T> {
    #[cached(key = "m", ttl = 60)]
    async fn projected(&self) -> Vec<T::Row> {
        Vec::new()
    }

    #[cached(key = "n", ttl = 60)]
    async fn qualified(&self) -> Vec<<T as Table>::Row> {
        Vec::new()
    }
}

impl Serialize for Users {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

fn site(function: &str) -> &'static CallSite {
    let mut sites = cache_runtime::call_sites();
    let suffix = format!("::{function}");
    sites.find(|site| site.function().ends_with(&suffix)).unwrap()
}

fn main() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Local;

    #[cached(key = "o", ttl = 60)]
    async fn local() -> Option<Local> {
        None
    }

    let of = |function| site(function).value_type().map(|name| name.replace(module_path!(), "_"));
    assert_eq!(of("optional").as_deref(), Some("_::User"));
    assert_eq!(of("aliased").as_deref(), Some("_::User"));
    assert_eq!(
        of("nested").as_deref(),
        Some("std::collections::hash::map::HashMap<u64, alloc::vec::Vec<alloc::sync::Arc<_::User>>>")
    );
    assert_eq!(of("tuple").as_deref(), Some("(alloc::string::String, [u8; 2], _::model::Order)"));
    assert_eq!(of("bounded").as_deref(), Some("_::Page<_::model::Order>"));
    assert_eq!(of("known").as_deref(), Some("_::User"));
    for unknown in [
        "parameter", "of_impl", "in_a_bounded_type", "constant", "without_self", "first", "projected",
        "qualified", "local",
    ] {
        assert_eq!(of(unknown), None, "{unknown}");
    }
    let _ = (optional(), aliased(), nested(), tuple(), bounded(), parameter::<User>(1), local());
    let repository = Repository::<User, 2>(User);
    let _ = (repository.of_impl(), repository.in_a_bounded_type(), repository.constant());
    let _ = (repository.known(), Repository::<User, 2>::without_self(), Users.first());
    let _ = (Of(Users).projected(), Of(Users).qualified(), repository.0.clone());
    let _ = (Page::<User>(Vec::new()).0, Matrix::<2>(Vec::new()).0, Of(Users).0);
}
