//! The macros of [`cache-runtime`](https://docs.rs/cache-runtime), which re-exports them: depend on that crate.
//!
//! Each macro parses its arguments and what it stands on, checks the rules between the two, and expands to
//! thin calls into the runtime. Everything that is wrong is reported in one pass, where it stands; what was annotated is
//! then left as it was, so that one mistake is one error.

mod args;
mod check;
mod durations;
mod errors;
mod expand;
mod function;
mod template;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use quote::{ToTokens as _, quote};
use syn::{DeriveInput, parse_macro_input};

use crate::errors::Errors;
use crate::function::Function;

/// Answers calls of an async function from the cache, and stores what it returns.
///
/// ```
/// use cache_runtime::cached;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct User;
/// # #[derive(Debug)]
/// # struct DbError;
/// # struct Db;
/// # impl Db { async fn user(&self, _: u64) -> Result<Option<User>, DbError> { Ok(Some(User)) } }
///
/// struct Users {
///     db: Db,
/// }
///
/// impl Users {
///     #[cached(key = "user:<id>", ttl = "1h", none_ttl = "30s")]
///     async fn find(&self, id: u64) -> Result<Option<User>, DbError> {
///         self.db.user(id).await
///     }
/// }
/// ```
///
/// # Options
///
/// | option | value | meaning |
/// | --- | --- | --- |
/// | `key` | a [template](#key-templates) or a [typed key](#typed-keys) | required: what tells two calls apart |
/// | `ttl` | a duration, or an expression over the arguments | required, or `ttl_by`: how long a value lives at most |
/// | `ttl_by` | a function of the value, to `Duration` | in place of `ttl`: each value says how long it lives |
/// | `when` | a function of the value, to `bool` | stores only values it is true for |
/// | `none_ttl` | a duration | stores an absent value (`None`), too, for this long; without it, absent values are not stored |
/// | `local_ttl` | a duration, at most `ttl` | keeps values of Redis in this process, too, for at most this long: a hit there asks nobody, and may be this old after an invalidation *by another process*, until that is told |
/// | `stale_while_revalidate` | a duration | for this long after its TTL, a value is still returned, at once, while it is refreshed: see [staleness](#staleness) |
/// | `stale_if_error` | a duration | for this long after its TTL, a value is returned in the place of an `Err` |
/// | `timeout` | a duration | with `stale_if_error`: a call that has such a value at hand waits no longer than this for a load, which goes on |
/// | `refresh_ahead` | `0.9`, or `"xfetch"` | refreshes a value before the end of its TTL: when this share of it has passed, or by chance, the earlier the longer the load takes |
/// | `refresh` | `"background"` or `"inline"` | who refreshes: a task, if left out, or one of the callers |
/// | `verify` | a share, such as `0.001` | this share of the hits also runs the body; what differs from its source, and nothing has invalidated within a second, is counted and logged: see `Policy::verify` |
/// | `version` | a number, `0` if left out | values of another version are misses; raise it when a value's meaning changes and its shape does not |
/// | `codec` | a type, `MessagePack` if left out | how values become bytes: a `Codec`, such as `Json` or one of your own; values of another codec are misses |
/// | `tags = ["…", "…"]` | templates | what else makes the value void: see [tags](#tags) |
/// | `batch`, `batch(id in ids)` | | the function answers for several keys at a time: see [several keys in one call](#several-keys-in-one-call) |
/// | `skip(a, b)` | arguments | leaves out of the key what cannot change the result: a connection, a tracing context |
/// | `cache` | an expression | the `Cache` to use, and not the global one: `cache = self.cache`. Calls are then counted in that cache, and at the call site |
/// | `allow` | a name or an array of them | findings of the `audit()` that are meant: `"never_invalidated"`, `"overlapping_templates"`, `"different_value_types"`, `"different_ttls"` |
/// | `crate` | a path | where `cache-runtime` is, if not at `::cache_runtime`: renamed, or re-exported by another crate |
///
/// A duration is a literal: a positive whole number of seconds (`3600`), or a string with units (`"5m"`, `"1h 30m"`,
/// `"500ms"`, `"2 days"`). The shortest is a millisecond, the longest 100 years. For `ttl` it may also be an expression of type
/// `Duration` over the arguments, and over what else is in scope; it is evaluated before the body, and only where the call may store
/// something. What is made to live for less than a millisecond is not stored.
///
/// # What is stored, and for how long
///
/// `when` and `ttl_by` see a reference to the value: what is in `Ok` and in `Some`. They run after the body, in the call that loaded;
/// who waits for that call is answered with its value all the same.
///
/// ```
/// use std::time::Duration;
/// use cache_runtime::cached;
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct Quote { is_final: bool, good_for_ms: u64 }
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct Page;
///
/// // Prices that may still change are asked for each time; the others live as long as the exchange says.
/// #[cached(
///     key = "quote:<symbol>",
///     when = |quote| quote.is_final,
///     ttl_by = |quote| Duration::from_millis(quote.good_for_ms),
/// )]
/// async fn quote(symbol: &str) -> std::io::Result<Quote> {
///     # let _ = symbol;
///     # Ok(Quote { is_final: true, good_for_ms: 60_000 })
/// }
///
/// #[cached(key = "search:<text>:<page>", ttl = if page == 1 { Duration::from_secs(60) } else { Duration::from_secs(600) })]
/// async fn search(text: &str, page: u32) -> std::io::Result<Page> {
///     # let _ = text;
///     # Ok(Page)
/// }
/// ```
///
/// # Staleness
///
/// At the end of its TTL a value is gone, and somebody waits for the next. These options say otherwise, in the words of
/// [RFC 5861](https://www.rfc-editor.org/rfc/rfc5861). Their times are counted from the end of the TTL (of `none_ttl` for an absent
/// value); a value is kept for the longest of them.
///
/// ```
/// use cache_runtime::cached;
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct Dashboard;
/// # #[derive(Clone)]
/// # struct Pool;
///
/// #[derive(Clone)]
/// struct Repository {
///     pool: Pool,
/// }
///
/// impl Repository {
///     // Nobody waits for a dashboard that anybody has looked at in the last 15 minutes.
///     #[cached(key = "dashboard:<user_id>", ttl = "5m", stale_while_revalidate = "10m")]
///     async fn dashboard(&self, user_id: u64) -> std::io::Result<Dashboard> {
///         // Slow SQL
/// #       let _ = (&self.pool, user_id);
/// #       Ok(Dashboard)
///     }
///
///     // While the supplier is down or slow, prices of the last hour will do.
///     #[cached(key = "price:<item>", ttl = "1m", stale_if_error = "1h", timeout = "100ms")]
///     async fn price(&self, item: &str) -> std::io::Result<u64> {
/// #       let _ = item;
///         // HTTP
/// #       Ok(1)
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let repository = Repository { pool: Pool };
/// # repository.dashboard(1).await?;
/// # repository.price("nut").await?;
/// # Ok(()) }
/// ```
///
/// A value that was invalidated is gone, however fresh or stale it was, and what a refresh has loaded that an invalidation overtook is not
/// stored. One refresh of a value runs at a time in all processes that share the store. After one that failed, the next begins a second
/// later at the earliest.
///
/// **In the background**, a refresh is a task of the tokio runtime that the call runs in. It outlives the call, so the body must be
/// `Send`, and it takes along what the body uses: arguments that the function owns are moved; those behind a `&`, `self`
/// too, are cloned (`&str` to a `String`, `&[T]` to a `Vec`) whenever the body is to run. An argument that cannot go along is a compile
/// error that says so. Task-locals and the tracing span of the caller stay behind. Outside of a tokio runtime, and with
/// `refresh = "inline"`, one caller refreshes, and awaits it; the others are answered at once.
///
/// A call site without these options does not use a stale value of another one that shares the key; what `#[write_through]`
/// and `Cache::put` store is gone at the end of its TTL.
///
/// # Tags
///
/// One invalidation for many keys. Each tag is a template, filled in like a key; `#[invalidates(tag = "…")]` drops all that was stored
/// with it, at the cost of one key, however many there are.
///
/// ```
/// use cache_runtime::{cached, invalidates};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct Dashboard;
///
/// #[cached(key = "dashboard:<user_id>:<date>", ttl = "5m", tags = ["user:<user_id>", "reports"])]
/// async fn dashboard(user_id: u64, date: &str) -> std::io::Result<Dashboard> {
///     # let _ = (user_id, date);
///     # Ok(Dashboard)
/// }
///
/// #[invalidates("user:<id>", tag = "user:<id>")]
/// async fn rename_user(id: u64, name: &str) -> std::io::Result<()> {
///     # let _ = (id, name);
///     # Ok(())
/// }
/// ```
///
/// A tag is no key: the tag `user:7` and the key `user:7` have nothing to do with each other. A read asks for the tags in the same round
/// trip as for the value, so a hit costs as many reads as there are tags, and one. All who read or write a key name the same tags, in
/// the same order; a value of others is none to them. A tag that the store has lost costs a load, and no more. With `local_ttl`, tags cannot
/// be had.
///
/// # Several keys in one call
///
/// With `batch`, a function takes what the keys are made of in a slice or a `Vec`, and returns a map from it:
///
/// ```
/// use std::collections::HashMap;
/// use cache_runtime::{cached, invalidates};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct User;
/// # #[derive(Debug)]
/// # struct DbError;
/// # struct Users;
///
/// impl Users {
///     #[cached(key = "user:<id>", ttl = "1h")]
///     async fn find_user(&self, id: u64) -> Result<Option<User>, DbError> {
///         // SELECT … WHERE id = …
/// #       let _ = id;
/// #       Ok(Some(User))
///     }
///
///     #[cached(batch, key = "user:<id>", ttl = "1h")]
///     async fn find_users(&self, ids: &[u64]) -> Result<HashMap<u64, User>, DbError> {
///         // SELECT … WHERE id IN (…)
/// #       Ok(ids.iter().map(|id| (*id, User)).collect())
///     }
///
///     #[invalidates("user:<ids>")]
///     async fn delete_users(&self, ids: &[u64]) -> Result<(), DbError> {
///         // DELETE …
/// #       let _ = ids;
/// #       Ok(())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), DbError> {
/// # Users.find_user(1).await?;
/// // One look for all three; the body runs once, for those that are not cached.
/// let users = Users.find_users(&[1, 2, 3]).await?;
/// # assert_eq!(users.len(), 3);
/// # assert_eq!(cache_runtime::global().stats().hits, 1);
/// # Users.delete_users(&[1, 2]).await
/// # }
/// ```
///
/// The argument is the only one of type `&[K]`, `Vec<K>` or `&Vec<K>`; the placeholder that names no argument stands for one of its items, and
/// is part of the key like any other. Where there are several such arguments, and where a typed key does not call its item `id` of `ids`,
/// write `batch(id in ids)`. The function returns a `HashMap<K, T>` or a `BTreeMap<K, T>`, or one of them in a `Result`; what there is
/// not is left out of it, and remembered only with `none_ttl`. `K` is `Clone`. The entries are those of a function
/// for one of them that returns `T`, `Option<T>`, or either in a `Result`, with the same key, tags, version and codec.
///
/// The body is given the ids that are not cached and that nobody else loads, each once. What others load is waited for; should
/// nothing come of that, the body runs again, for those. So it borrows its other arguments, and clones what it would consume. An `Err`
/// is returned for the whole call. What the body returns beyond what it was asked for is returned, and not stored. Each key counts as
/// a call of its own in the `Stats`. While the cache is off, the body is given all ids as they are.
///
/// Values of such a function are gone at the end of their TTL: the options of [staleness](#staleness) belong to the function for one.
///
/// # Key templates
///
/// A template is a string of segments, separated by `:`. Text stands as it is written; a placeholder is filled in:
///
/// | placeholder | is filled with |
/// | --- | --- |
/// | `<id>` | the argument `id`, also one that a pattern binds |
/// | `<user.id>`, `<pair.0>`, `<self.tenant>` | a field of an argument or of `self` |
/// | `<token:hash>` | a hash of the argument: for secrets, which must not stand in the store |
/// | `<<`, `>>` | the characters `<` and `>` |
///
/// What fills a placeholder is a `KeyPart`: an integer, a string, a date, … or a type of your own that derives
/// [`KeyPart`](derive@KeyPart). No value can break out of its placeholder, and two different lists of arguments never make
/// the same key. For this, two placeholders in one segment need text between them that begins with punctuation: `<year>-<month>`.
///
/// **Every argument stands in the key or in `skip(…)`, or has a name that starts with `_`.** A forgotten argument would let
/// two calls share an entry that must not, and is an error. `self` is part of the key only where the template says so.
///
/// # Typed keys
///
/// `key` can also be an expression whose type derives [`CacheKey`](derive@CacheKey). Then the template is written once, for
/// all functions that read or write the entry, and says what type of value stands under it:
///
/// ```
/// use cache_runtime::{CacheKey, cached, invalidates};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct User;
///
/// #[derive(CacheKey)]
/// #[cache_key("user:<id>", value = User)]
/// struct UserKey {
///     id: u64,
/// }
///
/// #[cached(key = UserKey { id }, ttl = "1h")]
/// async fn find_user(id: u64) -> Option<User> {
///     # let _ = id;
///     Some(User)
/// }
///
/// #[invalidates(UserKey { id })]
/// async fn rename_user(id: u64, name: &str) {
///     # let _ = (id, name);
/// }
/// ```
///
/// The expression is evaluated before the body, and may borrow from the arguments, though not from
/// temporary values; what it moves, the body cannot use. An argument
/// counts as covered when its name occurs in the expression. (What stands inside a string literal, as in
/// `format!("{id}")`, is not seen: write `format!("{}", id)`.)
///
/// # What is cached
///
/// | the function returns | stored |
/// | --- | --- |
/// | `Result<T, E>` | what is in `Ok`; an `Err` is returned and never stored |
/// | `Option<T>`, `Result<Option<T>, E>` | what is in `Some`; `None` only with `none_ttl` |
/// | anything else | the value |
///
/// This is seen through type aliases, such as `io::Result<T>`. The value is owned and
/// `Serialize + DeserializeOwned + Clone + Send + Sync`. In an `Arc`, it makes hits cheap.
///
/// # Where it goes
///
/// On free functions, associated functions and methods with any kind of `self`, in inherent `impl`s, in `impl`s of traits with
/// `async fn`, and under `#[async_trait]`. Also on a function that returns a boxed future, if its body is
/// `Box::pin(async move { … })`. Generics, lifetimes, `impl Trait` and patterns as arguments, `where` clauses, `?` and `return` are all
/// supported. A type or const parameter that no argument and no value tells is skipped, `skip(T)`, or refused. The function keeps its
/// signature, visibility, documentation, and other attributes.
///
/// Attributes are expanded from the top, so the lowest is the outermost when the function runs. Where another one rewrites the body
/// too (`#[tracing::instrument]`), put `#[cached]` below it, and hits cost nothing there. A function that changes something is not
/// one to be cached: on a hit, its `#[invalidates]` may or may not take effect, depending on which of the two is lower.
///
/// The key is all that tells two calls apart: `self` is in it only where the template names a field of it. Two instances that answer
/// differently, or two implementors of a trait's default method, need something of theirs in the key.
///
/// # Cancel safety
///
/// A call can be dropped at any time, if the body can. Dropped while its body runs, it stores nothing and leaves nothing
/// locked: if others wait for its result, one of them runs the body in its place.
///
/// # Errors
///
/// The cache adds none: while the store fails, the function is called as if it had no attribute.
#[proc_macro_attribute]
pub fn cached(arguments: TokenStream, item: TokenStream) -> TokenStream {
    on_function(item, |function, errors| {
        let args = args::cached::Cached::parse(arguments.into(), errors);
        let plan = check::cached(args, function, errors)?;
        Some(expand::cached::expand(&plan))
    })
}

/// Drops what is cached under its keys, when the function has run.
///
/// ```
/// use cache_runtime::invalidates;
/// # #[derive(Debug)]
/// # struct DbError;
/// # struct Order { id: u64, customer: String }
///
/// #[invalidates("user:<id>", "users:all")]
/// async fn rename_user(id: u64, name: &str) -> Result<(), DbError> {
///     // UPDATE users …
///     # let _ = (id, name);
///     Ok(())
/// }
///
/// #[invalidates("orders:<region>:<return.customer>", "order:<return.id>")]
/// async fn place_order(region: String, text: &str) -> Result<Order, DbError> {
///     // INSERT INTO orders … RETURNING …
///     # let _ = (region, text);
///     # Ok(Order { id: 1, customer: String::new() })
/// }
/// ```
///
/// # Keys
///
/// One or more, or a `tag`, and the attribute can stand on a function several times. Each is a template, as in
/// [`cached`](macro@cached#key-templates), or an expression whose type derives [`CacheKey`](derive@CacheKey). Arguments need not be in
/// the key here. The keys are made before the body runs, from the arguments as they are then.
///
/// An argument that holds several (a slice, an array, a `Vec`, `VecDeque`, `HashSet` or `BTreeSet`, also behind a reference, a `Box` or an
/// `Arc`) makes one key of each: `"user:<ids>"` for `ids: &[u64]`, `"user:<users.id>"` for `users: &[User]`. So it does in tags and patterns.
/// A template names one such argument at most.
///
/// `<return>` and `<return.field>` stand for what the function returned: for what is in `Ok` and in `Some`, if it returns these. A key
/// with such a placeholder is made after the body. An `Err` or a `None` invalidates nothing by such a key.
///
/// A template that ends with `:*` is a pattern: all keys that begin with what stands before it, and have another segment.
/// `"dashboard:<user_id>:*"` drops the dashboards of one user, for all dates; what fills a placeholder can never widen a pattern. Redis looks
/// through all its keys for them, in small steps between which it serves others; for what is dropped often, a
/// [tag](macro@cached#tags) costs one key.
///
/// Keys without `<return…>` are invalidated whatever the function returns, an `Err` too: an error does not say that nothing was changed.
///
/// # Options
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `tag = "…"` | everything that was stored with this [tag](macro@cached#tags) is dropped; may be given several times, and with `<return…>` | without |
/// | `fence` | the keys and tags are read past the cache, and not filled, from before the body until after it; a process that is killed in between leaves no stale value | without |
/// | `on_error = "fail"` | the function fails if its invalidation is not in force | `"proceed"`: its own result, and the invalidation is retried |
/// | `cache = expression` | the `Cache` to use | the global one |
/// | `allow = "unmatched_invalidation"` | the `audit()` accepts that nothing is cached under these keys by an annotated function | without |
/// | `crate = path` | where `cache-runtime` is | `::cache_runtime` |
///
/// A fence costs one more round trip before the body. It lives 10 s, and is renewed at a third of that while the body runs. It
/// needs keys that are known before the body. When the body returns an `Err`, it is left to expire: a commit that failed for its
/// caller may still be carried out.
///
/// With `on_error = "fail"` the function returns a `Result` whose error is made of an `InvalidationError` by `From`. With a `fence`,
/// a store that fails before the body fails the call before anything has changed; a store that fails after the body fails it with
/// what the body returned within the error, while the invalidation is retried.
///
/// ```
/// use cache_runtime::{InvalidationError, invalidates};
///
/// #[derive(Debug)]
/// enum BankError {
///     NotBegun,
///     NotYetVisible,
/// }
///
/// impl From<InvalidationError<()>> for BankError {
///     fn from(error: InvalidationError<()>) -> Self {
///         error.into_value().map_or(Self::NotBegun, |()| Self::NotYetVisible)
///     }
/// }
///
/// #[invalidates("account:<id>", fence, on_error = "fail")]
/// async fn withdraw(id: u64, cents: u64) -> Result<(), BankError> {
///     // UPDATE accounts …
///     # let _ = cents;
///     Ok(())
/// }
/// ```
///
/// # Where it goes
///
/// On every kind of function that [`cached`](macro@cached#where-it-goes) goes on; here it may also return nothing, or what it borrows.
///
/// # Cancel safety
///
/// A call that is dropped while its body runs invalidates its keys all the same, because the body may have committed. (Keys with
/// `<return…>` are not known then.) A statement that is still on its way to the database at that moment may commit later, after the
/// invalidation; with a `fence` that is covered too, because the fence of such a call is left to expire.
///
/// # Errors
///
/// None are added without `on_error = "fail"`. What the store does not take is kept, and delivered when the store is back.
#[proc_macro_attribute]
pub fn invalidates(arguments: TokenStream, item: TokenStream) -> TokenStream {
    on_function(item, |function, errors| {
        let args =
            args::invalidates::Invalidates::parse(arguments.into(), &function.arguments(), errors);
        let plan = check::invalidates(args, function, errors)?;
        Some(expand::invalidates::expand(&plan))
    })
}

/// Stores what the function has written, so that the next read hits.
///
/// ```
/// use cache_runtime::{cached, write_through};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct Settings;
/// # #[derive(Debug)]
/// # struct DbError;
///
/// #[cached(key = "settings:global", ttl = "10m")]
/// async fn settings() -> Result<Settings, DbError> {
///     // SELECT …
///     # Ok(Settings)
/// }
///
/// #[write_through(key = "settings:global", ttl = "10m")]
/// async fn change_settings(theme: &str) -> Result<Settings, DbError> {
///     // UPDATE … RETURNING …
///     # let _ = theme;
///     # Ok(Settings)
/// }
/// ```
///
/// What is stored is what is in `Ok` and in `Some`, as by [`cached`](macro@cached#what-is-cached); its type and its `version` and `codec`
/// must be those of the function that reads it. After a `None` nothing is cached, and nothing after an `Err`, which does not say that
/// nothing was changed.
///
/// # Options
///
/// | option | value | meaning |
/// | --- | --- | --- |
/// | `key` | a [template](macro@cached#key-templates) or a [typed key](macro@cached#typed-keys) | required: what is written. Arguments need not be in it |
/// | `ttl`, `ttl_by` | as for [`cached`](macro@cached#options) | required, one of them: how long the value lives at most |
/// | `when` | a function of the value, to `bool` | stores only values it is true for; others are dropped from the cache |
/// | `value` | a function of what was returned | what is stored, if not that itself |
/// | `version`, `codec`, `tags`, `cache`, `crate` | as for [`cached`](macro@cached#options) | |
///
/// `value` and the other functions run after the body. They may use arguments that are references or `Copy`; what the body has
/// consumed is gone.
///
/// ```
/// use cache_runtime::write_through;
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct Settings;
/// # #[derive(Debug)]
/// # struct DbError;
///
/// #[write_through(key = "settings:<team>", ttl = "10m", value = |()| settings.clone())]
/// async fn save(team: u64, settings: &Settings) -> Result<(), DbError> {
///     // UPDATE …
///     # let _ = (team, settings);
///     Ok(())
/// }
/// ```
///
/// On one function, several of these, and [`invalidates`](macro@invalidates) for other keys, may stand together.
///
/// # Two writers at a time
///
/// A fence stands over the key from before the body until the value takes its place: nobody reads or fills it meanwhile. Where two
/// writers overlap, neither stores anything, because only the database knows which of them was last; the next read loads. A
/// process that is killed in between leaves no stale value. The price is a round trip before the body.
///
/// # Cancel safety
///
/// A call that is dropped drops what was cached, because the body may have committed.
///
/// # Errors
///
/// The cache adds none. While the cache is off, this invalidates; what the store does not take is kept, and delivered when it is back.
#[proc_macro_attribute]
pub fn write_through(arguments: TokenStream, item: TokenStream) -> TokenStream {
    on_function(item, |function, errors| {
        let args = args::write_through::WriteThrough::parse(arguments.into(), errors);
        let plan = check::write_through(args, function, errors)?;
        Some(expand::write_through::expand(&plan))
    })
}

/// Makes a struct a key: one spelling for all who read or write an entry.
///
/// ```
/// use cache_runtime::CacheKey;
/// # struct User;
/// # struct Dashboard;
///
/// #[derive(CacheKey)]
/// #[cache_key("user:<id>", value = User)]
/// struct UserKey {
///     id: u64,
/// }
///
/// #[derive(CacheKey)]
/// #[cache_key("dashboard:<user_id>:<date>", value = Dashboard)]
/// struct DashboardKey<'a> {
///     user_id: u64,
///     date: &'a str,
/// }
///
/// #[derive(CacheKey)]
/// #[cache_key("range:<0>-<1>")]
/// struct RangeKey<T>(T, T);
///
/// #[derive(CacheKey)]
/// #[cache_key("settings:global")]
/// struct SettingsKey;
/// ```
///
/// # Options of `#[cache_key(…)]`
///
/// | option | meaning |
/// | --- | --- |
/// | a template, first | required. The [same](macro@cached#key-templates) as for functions; placeholders name fields (`<id>`, `<0>`) and fields of fields (`<user.id>`) |
/// | `value = Type` | the only type of value that may stand under this key: a `#[cached]` function of another value does not compile. Left out, all may |
/// | `crate = path` | where `cache-runtime` is, if not at `::cache_runtime` |
///
/// Every field stands in the template, or has a name that starts with `_`.
#[proc_macro_derive(CacheKey, attributes(cache_key))]
pub fn cache_key(item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as DeriveInput);
    let mut errors = Errors::default();
    let args = args::cache_key::CacheKey::parse(&input, &mut errors);
    let stand_in = expand::cache_key::stand_in(&input, &check::runtime(args.runtime.clone()));
    let plan = check::cache_key(args, &input, &mut errors);
    report(
        errors,
        plan.map(|plan| expand::cache_key::expand(&plan)),
        &stand_in,
    )
}

/// Makes a type one that can fill a placeholder of a key.
///
/// A struct with one field writes what its field writes; an enum without fields writes the name of its variant.
///
/// ```
/// use cache_runtime::{Key, KeyPart};
///
/// #[derive(KeyPart)]
/// struct UserId(u64);
///
/// #[derive(KeyPart)]
/// enum Region {
///     Europe,
///     Asia,
/// }
///
/// let key = Key::of("user").part(&Region::Asia).part(&UserId(7));
/// assert_eq!(key.as_str(), "user:Asia:7");
/// # let _ = Region::Europe;
/// ```
///
/// A variant that is renamed is another key: what was cached under its old name is not found any more.
///
/// For anything else, implement the trait by hand, or put each field into the key by a placeholder of its own.
///
/// # Options of `#[key_part(…)]`
///
/// `crate = path`, where `cache-runtime` is, if not at `::cache_runtime`.
#[proc_macro_derive(KeyPart, attributes(key_part))]
pub fn key_part(item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as DeriveInput);
    let mut errors = Errors::default();
    let args = args::key_part::KeyPart::parse(&input, &mut errors);
    let stand_in = expand::key_part::stand_in(&input, &check::runtime(args.runtime.clone()));
    let plan = check::key_part(args, &input, &mut errors);
    report(
        errors,
        plan.map(|plan| expand::key_part::expand(&plan)),
        &stand_in,
    )
}

/// Runs one attribute on its function. If anything is wrong, the function is left as it was.
fn on_function(
    item: TokenStream,
    expand: impl FnOnce(&Function, &mut Errors) -> Option<TokenStream2>,
) -> TokenStream {
    let mut errors = Errors::default();
    let function = errors.take(syn::parse(item.clone()));
    let expanded = function.and_then(|function| expand(&function, &mut errors));
    report(errors, expanded, &item.into())
}

/// `expanded`, or else all errors and, so that one mistake is one error, what stands in for it.
fn report(errors: Errors, expanded: Option<TokenStream2>, stand_in: &TokenStream2) -> TokenStream {
    match (errors.finish(), expanded) {
        (Ok(()), Some(expanded)) => expanded.into(),
        (Ok(()), None) => quote!(#stand_in ::core::compile_error!("cache-macros refused this without a reason; please report it");).into_token_stream().into(),
        (Err(errors), _) => quote!(#stand_in #errors).into(),
    }
}
