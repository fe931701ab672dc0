//! Every form of annotated function, in a crate that forbids what a crate can forbid.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    rust_2018_idioms,
    unreachable_pub,
    unused_qualifications
)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::shadow_unrelated
)]
#![deny(
    clippy::items_after_statements,
    clippy::used_underscore_binding,
    clippy::absolute_paths
)]

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cache_runtime::{CacheKey, CacheValue, KeyPart, cached, invalidates};
use serde::{Deserialize, Serialize};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its key.
    pub id: u64,
    /// Its name.
    pub name: String,
}

/// An error that cannot be cloned.
#[derive(Debug)]
pub struct DbError;

/// An error that can.
#[derive(Clone, Debug)]
pub struct CloneError;

/// A newtype.
#[derive(Clone, Copy, KeyPart)]
pub struct UserId(pub u64);

/// An enum.
#[derive(Clone, Copy, KeyPart)]
pub enum Region {
    /// One.
    Europe,
    /// Another.
    Asia,
}

/// A generic newtype.
#[derive(Clone, Copy, KeyPart)]
pub struct Tagged<T> {
    /// What it holds.
    pub inner: T,
}

/// A key with a value type.
#[derive(CacheKey)]
#[cache_key("typed:<id>", value = User)]
pub struct UserKey {
    /// Its field.
    pub id: u64,
}

/// A key that borrows and is generic.
#[derive(CacheKey)]
#[cache_key("scoped:<name>-<part>")]
pub struct ScopedKey<'a, T> {
    /// Borrowed.
    pub name: &'a str,
    /// Generic.
    pub part: T,
    /// Not in the key.
    _note: T,
}

/// A key that is a tuple.
#[derive(CacheKey)]
#[cache_key("tuple:<0>:<1:hash>", value = u64)]
pub struct TupleKey(pub u64, pub String);

/// A key without fields.
#[derive(CacheKey)]
#[cache_key("settings:global")]
pub struct SettingsKey;

static LOADS: AtomicU64 = AtomicU64::new(0);

fn load() -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed)
}

/// A free function.
///
/// # Errors
///
/// Never.
#[cached(key = "user:<id>", ttl = 3600, none_ttl = "30s", version = 2, skip(db))]
pub async fn find_user(db: &BTreeMap<u64, User>, id: u64) -> Result<Option<User>, DbError> {
    load();
    if id == 0 {
        return Err(DbError);
    }
    Ok(db.get(&id).cloned())
}

/// A free function with `?`.
///
/// # Errors
///
/// When there is none.
#[cached(key = "user:<id>:strict", ttl = "1h 30m", skip(db))]
pub async fn find_user_strictly(db: &BTreeMap<u64, User>, id: u64) -> Result<User, DbError> {
    let user = find_user(db, id).await?.ok_or(DbError)?;
    Ok(user)
}

/// An error that is shared.
///
/// # Errors
///
/// Always.
#[cached(key = "failing", ttl = 5)]
pub async fn failing() -> Result<u64, CloneError> {
    load();
    Err(CloneError)
}

/// Without an outcome.
#[cached(key = "settings:<region>", ttl = 5)]
#[must_use]
pub async fn settings(region: Region) -> u64 {
    let _ = region;
    load()
}

/// Patterns, `mut`, unused and raw names.
#[cached(key = "patterns:<a>:<b>:<r#type>:<count>:<name>:<user.id>", ttl = 5)]
#[must_use]
pub async fn patterns(
    (a, b): (u64, u64),
    r#type: u8,
    mut count: u64,
    User { id: _, ref name }: User,
    user: User,
    _: u8,
    _note: &str,
) -> u64
where
    User: Clone,
{
    count += 1;
    let _ = (name, &user);
    a + b + u64::from(r#type) + count
}

/// Generics, lifetimes, `impl Trait` and consts.
#[cached(key = "generic:<part>:<name>:<shown>:<tagged>", ttl = 5, skip(value))]
pub async fn generic<'a, 'b: 'a, T, V, const N: usize>(
    part: T,
    name: &'a str,
    _other: &'b str,
    shown: impl Display + KeyPart + Send,
    tagged: Tagged<T>,
    value: [V; N],
) -> Option<V>
where
    T: KeyPart + Copy + Send + Sync,
    V: CacheValue,
{
    let _ = (part, name, shown.to_string(), tagged.inner);
    value.into_iter().next()
}

/// Arguments with the names that an expansion might use.
#[cached(
    key = "names:<key>:<cache>:<result>:<call>:<body>:<shape>:<writer>:<w>:<site>:<sharing>:<returned>",
    ttl = 5
)]
#[must_use]
#[allow(clippy::too_many_arguments, clippy::many_single_char_names)]
pub async fn names(
    key: u8,
    cache: u8,
    result: u8,
    call: u8,
    body: u8,
    shape: u8,
    writer: u8,
    w: u8,
    site: u8,
    sharing: u8,
    returned: u8,
) -> u8 {
    key + cache + result + call + body + shape + writer + w + site + sharing + returned
}

/// A typed key.
#[cached(key = UserKey { id }, ttl = 5)]
#[must_use]
pub async fn typed(id: u64) -> Option<User> {
    Some(User {
        id: id + load(),
        name: String::new(),
    })
}

/// A typed key that borrows.
#[cached(key = ScopedKey { name: &name, part: id, _note: 0 }, ttl = 5)]
#[must_use]
pub async fn scoped(name: String, id: u64) -> String {
    name + &id.to_string()
}

/// An invalidation.
///
/// # Errors
///
/// Never.
#[invalidates("user:<id>", "user:<id>:strict", UserKey { id })]
pub async fn rename(id: u64, name: &str) -> Result<(), DbError> {
    let _ = (id, name);
    Ok(())
}

/// An invalidation that returns nothing.
#[invalidates("user:<id>")]
#[invalidates("settings:global", SettingsKey)]
pub async fn forget(id: u64) {
    let _ = id;
}

/// By what is returned, with an argument that the body consumes.
///
/// # Errors
///
/// Never.
#[invalidates("user:<return.id>", "tenant:<tenant>-<return.name>", "all:<tenant>")]
pub async fn create(tenant: String) -> Result<Option<User>, DbError> {
    Ok(Some(User {
        id: 7,
        name: tenant,
    }))
}

/// By the returned value itself.
#[invalidates("user:<return>")]
#[must_use]
pub async fn create_id() -> Option<u64> {
    Some(7)
}

/// Methods.
pub struct Repo {
    tenant: String,
    loads: AtomicU64,
}

impl Repo {
    /// A constructor.
    #[must_use]
    pub fn new(tenant: &str) -> Self {
        Self {
            tenant: tenant.into(),
            loads: AtomicU64::new(0),
        }
    }

    /// `&self`.
    ///
    /// # Errors
    ///
    /// Never.
    #[cached(key = "repo:<self.tenant>:<id>", ttl = "5m")]
    pub async fn find(&self, id: UserId) -> Result<User, DbError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        Ok(User {
            id: id.0,
            name: self.tenant.clone(),
        })
    }

    /// `&mut self`.
    #[invalidates("repo:<self.tenant>:<id>")]
    pub async fn change(&mut self, id: u64) -> u64 {
        *self.loads.get_mut() += id;
        id
    }

    /// `self`.
    #[cached(key = "repo:<self.tenant>", ttl = "5m")]
    #[must_use]
    pub async fn into_tenant(self) -> String {
        self.tenant
    }

    /// `self: Arc<Self>`.
    #[cached(key = TupleKey(id, self.tenant.clone()), ttl = "5m")]
    #[must_use]
    pub async fn shared(self: Arc<Self>, id: u64) -> u64 {
        self.loads.load(Ordering::Relaxed) + id
    }

    /// An associated function.
    #[cached(key = "repo:count", ttl = "500ms")]
    #[must_use]
    pub async fn count() -> usize {
        size_of::<Self>()
    }

    /// A boxed future by hand.
    #[cached(key = "repo:<self.tenant>:boxed:<id>", ttl = "5m")]
    #[must_use]
    pub fn boxed(&self, id: u64) -> Pin<Box<dyn Future<Output = u64> + Send + '_>> {
        Box::pin(async move { self.loads.load(Ordering::Relaxed) + id })
    }
}

/// A trait with native async functions.
pub trait Native {
    /// A method.
    fn find(&self, id: u64) -> impl Future<Output = Option<u64>> + Send;
}

impl Native for Repo {
    #[cached(key = "native:<self.tenant>:<id>", ttl = 5)]
    async fn find(&self, id: u64) -> Option<u64> {
        Some(self.loads.load(Ordering::Relaxed) + id)
    }
}

/// A trait under `#[async_trait]`.
#[async_trait::async_trait]
pub trait Dynamic: Send + Sync {
    /// A method.
    async fn find(&self, id: u64, name: &str, pair: (u64, String)) -> Result<Option<u64>, DbError>;
    /// A mutation.
    async fn change(&self, id: u64, name: String) -> u64;
    /// A method with a body.
    #[cached(key = "dynamic:default:<id>", ttl = 5)]
    async fn default(&self, id: u64) -> u64 {
        id
    }
    /// Without `self`.
    async fn associated(id: u64) -> u64
    where
        Self: Sized;
    /// A mutation without a value.
    async fn clear(&self);
}

#[async_trait::async_trait]
impl Dynamic for Repo {
    #[cached(key = "dynamic:<self.tenant>:<id>:<name>:<first>:<second>", ttl = 5)]
    async fn find(
        &self,
        mut id: u64,
        name: &str,
        (first, second): (u64, String),
    ) -> Result<Option<u64>, DbError> {
        id += 1;
        if name.is_empty() {
            return Err(DbError);
        }
        let _ = second;
        Ok(Some(self.loads.load(Ordering::Relaxed) + id + first))
    }

    #[invalidates("dynamic:<self.tenant>:<id>")]
    #[invalidates("dynamic:<name>:<return>", TupleKey(id, self.tenant.clone()))]
    async fn change(&self, id: u64, name: String) -> u64 {
        drop(name);
        id
    }

    #[cached(key = "dynamic:<id>", ttl = 5)]
    async fn associated(id: u64) -> u64 {
        id
    }

    #[invalidates("dynamic:<self.tenant>")]
    async fn clear(&self) {
        self.loads.store(0, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn annotated_functions_return_what_they_returned() {
    let db = BTreeMap::from([(
        1,
        User {
            id: 1,
            name: "Ada".into(),
        },
    )]);
    assert!(find_user(&db, 0).await.is_err());
    assert_eq!(
        find_user_strictly(&db, 1)
            .await
            .map(|user| user.name)
            .ok()
            .as_deref(),
        Some("Ada")
    );
    assert!(failing().await.is_err());
    assert_eq!(names(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1).await, 11);
    assert_eq!(
        generic(1_u8, "x", "y", 2_u8, Tagged { inner: 3 }, [4_u8]).await,
        Some(4)
    );
    assert_eq!(scoped("a".into(), 1).await, "a1");
}

#[tokio::test]
async fn a_second_call_is_a_hit_until_it_is_invalidated() {
    let first = typed(1).await;
    assert_eq!(typed(1).await, first);
    assert!(rename(1, "x").await.is_ok());
    assert_ne!(typed(1).await, first);
    assert_eq!(settings(Region::Asia).await, settings(Region::Asia).await);
    assert_ne!(settings(Region::Asia).await, settings(Region::Europe).await);
}

#[tokio::test]
async fn methods_are_told_apart_by_self() {
    let (one, other) = (Repo::new("one"), Repo::new("other"));
    for _ in 0..2 {
        assert_eq!(
            one.find(UserId(1))
                .await
                .map(|user| user.name)
                .ok()
                .as_deref(),
            Some("one")
        );
        assert_eq!(
            other
                .find(UserId(1))
                .await
                .map(|user| user.name)
                .ok()
                .as_deref(),
            Some("other")
        );
    }
    assert_eq!(one.loads.load(Ordering::Relaxed), 1);
    assert_eq!(one.boxed(3).await, 4);
    assert_eq!(other.boxed(3).await, 4);
    assert_eq!(Native::find(&one, 1).await, Some(2));
    assert_eq!(one.into_tenant().await, "one");
    assert_eq!(Arc::new(other).shared(1).await, 2);
    assert!(Repo::count().await > 0);
}

#[tokio::test]
async fn trait_objects_are_cached() {
    let repo: Box<dyn Dynamic> = Box::new(Repo::new("dynamic"));
    assert_eq!(
        repo.find(1, "x", (1, String::new())).await.ok(),
        Some(Some(3))
    );
    assert_eq!(
        repo.find(1, "x", (1, String::new())).await.ok(),
        Some(Some(3))
    );
    assert!(repo.find(1, "", (1, String::new())).await.is_err());
    assert_eq!(repo.change(1, "x".into()).await, 1);
    assert_eq!(repo.default(1).await, 1);
    repo.clear().await;
    assert_eq!(Repo::associated(1).await, 1);
}

#[tokio::test]
async fn what_was_returned_names_what_is_invalidated() {
    let made = create("t".into()).await.ok().flatten();
    assert_eq!(made.map(|user| user.name).as_deref(), Some("t"));
    assert_eq!(create_id().await, Some(7));
    forget(1).await;
    let mut repo = Repo::new("changing");
    assert_eq!(Repo::change(&mut repo, 2).await, 2);
    let arguments = User {
        id: 1,
        name: String::new(),
    };
    assert_eq!(
        patterns((1, 2), 3, 4, arguments.clone(), arguments, 0, "").await,
        11
    );
}

#[test]
fn every_call_site_is_listed() {
    let listed =
        |function: &str| cache_runtime::call_sites().any(|site| site.function() == function);
    assert!(listed("pedantic::find_user"));
    assert!(listed("pedantic::names"));
}
#[test]
fn a_cached_call_in_a_cached_call_costs_its_own_room_and_no_more() {
    let db = BTreeMap::new();
    let (inner, outer) = (
        size_of_val(&find_user(&db, 1)),
        size_of_val(&find_user_strictly(&db, 1)),
    );
    assert!(outer < 3 * inner, "{inner} in {outer}");
}
