//! One call for several keys: `batch`, and invalidations over a slice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_runtime::{
    Cache, CacheConfig, CacheKey, Key, Mode, Policy, bypass, cached, invalidates, only_cached,
    refresh,
};
use futures_util::future::{join, join_all};
use tokio::sync::oneshot;

use super::{Shareable, Unique, User, change_user, find_user, fresh};

type All = Result<HashMap<u64, User>, Shareable>;

/// A function for several keys with the body of the caller's choice.
#[cached(batch, key = "user:<id>", ttl = "1h", skip(body))]
async fn find_users<F>(ids: &[u64], body: impl Fn(Vec<u64>) -> F) -> All
where
    F: Future<Output = All>,
{
    body(ids.to_vec()).await
}

/// A source that has a user of one name under each even id, and notes what it was asked for.
#[derive(Default)]
struct Source {
    asked: Mutex<Vec<Vec<u64>>>,
}

impl Source {
    fn load(&self, ids: &[u64], name: &str) -> HashMap<u64, User> {
        self.asked.lock().expect("whole").push(ids.to_vec());
        let found = ids.iter().filter(|id| *id % 2 == 0);
        found.map(|id| (*id, User::named(*id, name))).collect()
    }

    async fn find(&self, ids: &[u64], name: &str) -> HashMap<u64, User> {
        let body = |ids: Vec<u64>| std::future::ready(Ok(self.load(&ids, name)));
        find_users(ids, body).await.expect("an answer")
    }

    fn asked(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut *self.asked.lock().expect("whole"))
    }
}

/// So many even ids, which no other test of this process uses.
fn evens<const N: usize>() -> [u64; N] {
    std::array::from_fn(|_| (1 << 40) + fresh() * 2)
}

fn names(found: &HashMap<u64, User>) -> BTreeMap<u64, &str> {
    let found = found.iter();
    found.map(|(id, user)| (*id, user.name.as_str())).collect()
}

/// What is cached of these.
async fn cached_names(ids: &[u64]) -> BTreeMap<u64, String> {
    let source = Source::default();
    let found = source.find(ids, "loaded").await;
    for id in source.asked().into_iter().flatten() {
        change_user(id, async || {}).await;
    }
    let found = found.into_iter().map(|(id, user)| (id, user.name));
    found.filter(|(_, name)| name != "loaded").collect()
}

#[tokio::test]
async fn the_body_is_asked_for_what_is_missing_and_no_more() {
    let [a, b, c, d] = evens();
    let source = Source::default();
    let found = source.find(&[a, b], "first").await;
    assert_eq!(names(&found), BTreeMap::from([(a, "first"), (b, "first")]));
    let found = source.find(&[d, a, c, b], "second").await;
    let expected = [(a, "first"), (b, "first"), (c, "second"), (d, "second")];
    assert_eq!(names(&found), BTreeMap::from(expected));
    assert_eq!(source.find(&[a, b, c, d], "third").await, found);
    assert_eq!(source.asked(), [[a, b], [d, c]], "in their order");
}

#[tokio::test]
async fn nothing_is_asked_for_where_nothing_is_wanted() {
    fresh();
    let source = Source::default();
    assert_eq!(source.find(&[], "").await, HashMap::new());
    assert_eq!(source.asked(), Vec::<Vec<u64>>::new());
}

#[tokio::test]
async fn the_entries_are_those_of_the_function_for_one() {
    let [a, b] = evens();
    let one = find_user(a, async || Ok(Some(User::named(a, "of one")))).await;
    assert!(one.is_ok());
    let source = Source::default();
    let found = source.find(&[a, b], "of many").await;
    assert_eq!(
        names(&found),
        BTreeMap::from([(a, "of one"), (b, "of many")])
    );
    let one = find_user(b, async || Err(Shareable("is cached"))).await;
    assert_eq!(one, Ok(Some(User::named(b, "of many"))));
}

#[tokio::test]
async fn an_id_that_stands_twice_is_asked_for_once() {
    let [a, b] = evens();
    let source = Source::default();
    let found = source.find(&[a, b, a, a], "loaded").await;
    assert_eq!(found.len(), 2);
    assert_eq!(source.asked(), [[a, b]]);
}

#[tokio::test]
async fn what_the_source_does_not_have_is_asked_for_again() {
    let [a] = evens();
    let source = Source::default();
    for _ in 0..2 {
        let found = source.find(&[a, a + 1], "loaded").await;
        assert_eq!(names(&found), BTreeMap::from([(a, "loaded")]));
    }
    assert_eq!(source.asked(), [vec![a, a + 1], vec![a + 1]]);
}

#[tokio::test]
async fn with_none_ttl_it_is_not() {
    #[cached(batch, key = "absent:<id>", ttl = "1h", none_ttl = "1m", skip(source))]
    async fn find(ids: &[u64], source: &Source) -> HashMap<u64, User> {
        source.load(ids, "loaded")
    }
    let [a] = evens();
    let source = Source::default();
    for _ in 0..2 {
        assert_eq!(find(&[a, a + 1], &source).await.len(), 1);
    }
    assert_eq!(source.asked(), [[a, a + 1]]);
}

#[tokio::test]
async fn more_than_was_asked_for_is_returned_and_not_stored() {
    let [a, b] = evens();
    let body = async |_: Vec<u64>| {
        Ok(HashMap::from(
            [a, b].map(|id| (id, User::named(id, "both"))),
        ))
    };
    let found = find_users(&[a], body).await.expect("an answer");
    assert_eq!(found.len(), 2);
    assert_eq!(
        cached_names(&[a, b]).await,
        BTreeMap::from([(a, "both".to_owned())])
    );
}

#[tokio::test]
async fn an_error_is_returned_and_leaves_the_keys_free() {
    let [a, b] = evens();
    let source = Source::default();
    source.find(&[a], "cached").await;
    let failed = find_users(&[a, b], |_| {
        std::future::ready(Err(Shareable("as planned")))
    })
    .await;
    assert_eq!(failed, Err(Shareable("as planned")));
    let one = find_user(b, async || Ok(Some(User::named(b, "new")))).await;
    assert_eq!(one, Ok(Some(User::named(b, "new"))));
    assert_eq!(cached_names(&[a, b]).await.len(), 2);
}

/// The lease of what was not found is given back: another process need not wait for its end.
#[tokio::test]
async fn what_is_not_stored_is_free_for_everyone() {
    let [a] = evens();
    let source = Source::default();
    assert!(source.find(&[a + 1], "loaded").await.is_empty());
    let Some(elsewhere) = crate::elsewhere() else {
        return;
    };
    let key = Key::of("user").part(&(a + 1));
    let policy = Policy::new(Duration::from_secs(3600));
    let load = async || Ok::<_, Unique>(Some(User::named(a + 1, "found since")));
    let found = elsewhere.get_or_load_optional(&key, policy, load).await;
    assert_eq!(found, Ok(Some(User::named(a + 1, "found since"))));
    assert_eq!(elsewhere.stats().misses, 1);
}

/// A call that has begun to load, and ends when it is told to.
struct Begun<F> {
    call: F,
    asked: Vec<u64>,
    end: oneshot::Sender<All>,
}

/// Begins a call, and polls it until its body runs.
async fn begin(ids: Vec<u64>) -> Begun<tokio::task::JoinHandle<All>> {
    let (tell, told) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let once = Arc::new(Mutex::new(Some((tell, ended))));
    let call = tokio::spawn(async move {
        let body = |ids: Vec<u64>| {
            let (tell, ended) = once.lock().expect("whole").take().expect("one run");
            tell.send(ids).expect("told");
            async { ended.await.expect("an end") }
        };
        find_users(&ids, body).await
    });
    Begun {
        call,
        asked: told.await.expect("the body runs"),
        end,
    }
}

#[allow(clippy::unnecessary_wraps, reason = "it is what a call returns")]
fn loaded(ids: &[u64], name: &str) -> All {
    Ok(ids.iter().map(|id| (*id, User::named(*id, name))).collect())
}

/// 1. L misses, takes the leases of `a` and `b`, and loads both.
/// 2. An invalidation of `a` completes.
/// 3. L fills: `a` must not be stored, and `b` may.
#[tokio::test]
async fn an_invalidation_while_it_loads_concerns_its_key_alone() {
    let [a, b] = evens();
    let load = begin(vec![a, b]).await;
    change_user(a, async || {}).await;
    load.end.send(loaded(&[a, b], "old")).expect("it waits");
    assert_eq!(load.call.await.expect("an end"), loaded(&[a, b], "old"));
    let cached = cached_names(&[a, b]).await;
    assert_eq!(cached, BTreeMap::from([(b, "old".to_owned())]));
}

/// 1. A loads `a` and `b`.
/// 2. B wants `b` and `c`: it loads `c`, and waits for A.
#[tokio::test]
async fn what_another_loads_is_waited_for() {
    let [a, b, c] = evens();
    let first = begin(vec![a, b]).await;
    let second = begin(vec![b, c]).await;
    assert_eq!((first.asked, second.asked), (vec![a, b], vec![c]));
    second.end.send(loaded(&[c], "second")).expect("it waits");
    first.end.send(loaded(&[a, b], "first")).expect("it waits");
    let found = second.call.await.expect("an end").expect("an answer");
    assert_eq!(names(&found), BTreeMap::from([(b, "first"), (c, "second")]));
    assert!(first.call.await.expect("an end").is_ok());
}

/// The same with callers for one key, in both directions.
#[tokio::test]
async fn callers_for_one_key_and_for_many_wait_for_each_other() {
    let [a, b] = evens();
    let many = begin(vec![a, b]).await;
    let one = tokio::spawn(find_user(a, async || Err(Shareable("is loaded already"))));
    many.end.send(loaded(&[a, b], "of many")).expect("it waits");
    assert_eq!(
        one.await.expect("an end"),
        Ok(Some(User::named(a, "of many")))
    );

    let [a, b] = evens();
    let (tell, told) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let one = tokio::spawn(find_user(a, async move || {
        tell.send(()).expect("told");
        ended.await.expect("an end")
    }));
    told.await.expect("the body runs");
    let many = begin(vec![a, b]).await;
    assert_eq!(many.asked, [b]);
    many.end.send(loaded(&[b], "of many")).expect("it waits");
    end.send(Ok(Some(User::named(a, "of one"))))
        .expect("it waits");
    let found = many.call.await.expect("an end").expect("an answer");
    assert_eq!(
        names(&found),
        BTreeMap::from([(a, "of one"), (b, "of many")])
    );
    assert!(one.await.expect("an end").is_ok());
}

/// What A does not find, B must not ask for again.
#[tokio::test]
async fn who_waits_learns_what_the_source_does_not_have() {
    let [a, b] = evens();
    let first = begin(vec![a]).await;
    let second = begin(vec![a, b]).await;
    second.end.send(loaded(&[b], "second")).expect("it waits");
    // B has come as far as to wait for A.
    tokio::task::yield_now().await;
    first.end.send(loaded(&[], "")).expect("it waits");
    let found = second.call.await.expect("one run of its body");
    assert_eq!(found, loaded(&[b], "second"));
}

#[tokio::test]
async fn who_waits_is_handed_an_error_that_can_be_shared() {
    let [a, b] = evens();
    let first = begin(vec![a]).await;
    let second = begin(vec![a, b]).await;
    second.end.send(loaded(&[b], "second")).expect("it waits");
    let failed = || Err(Shareable("as planned"));
    first.end.send(failed()).expect("it waits");
    assert_eq!(first.call.await.expect("an end"), failed());
    assert_eq!(second.call.await.expect("one run of its body"), failed());
    assert_eq!(cached_names(&[a, b]).await.len(), 1, "what it loaded stays");
}

/// 1. A loads `a`. B wants `a` and `b`: it loads `b`, and waits for A.
/// 2. A is dropped: B's body runs again, for `a`.
#[tokio::test]
async fn what_another_began_and_gave_up_is_loaded() {
    let [a, b] = evens();
    let first = begin(vec![a]).await;
    let source = Source::default();
    let ids = [a, b];
    let second = join(source.find(&ids, "second"), async {
        first.call.abort();
        assert!(first.call.await.is_err());
    });
    let (found, ()) = second.await;
    assert_eq!(
        names(&found),
        BTreeMap::from([(a, "second"), (b, "second")])
    );
    assert_eq!(source.asked(), [[b], [a]]);
    assert_eq!(cached_names(&[a, b]).await.len(), 2);
}

/// 1. A leads `a`, B leads `b`.
/// 2. A wants `b`, and B wants `a`. If one of them waited before it loads, both would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_want_the_same_in_another_order_do_not_wait_for_each_other() {
    const CALLS: usize = 8;
    let mut waited = 0;
    for _ in 0..50 {
        let ids: [u64; 10] = evens();
        let asked = Arc::new(Mutex::new(HashMap::<u64, usize>::new()));
        let calls = (0..CALLS).map(|turn| {
            let mut ids = ids;
            ids.rotate_left(turn);
            let asked = asked.clone();
            tokio::spawn(async move {
                let body = |ids: Vec<u64>| {
                    for id in &ids {
                        *asked.lock().expect("whole").entry(*id).or_default() += 1;
                    }
                    async move {
                        tokio::task::yield_now().await;
                        loaded(&ids, "loaded")
                    }
                };
                find_users(&ids, body).await
            })
        });
        for found in join_all(calls).await {
            assert_eq!(found.expect("an end"), loaded(&ids, "loaded"));
        }
        let asked = asked.lock().expect("whole");
        assert!(asked.values().all(|times| *times == 1), "{asked:?}");
        waited += usize::from(asked.len() == ids.len());
    }
    assert_eq!(waited, 50);
}

#[tokio::test]
async fn a_key_that_is_being_mutated_is_loaded_and_not_stored() {
    #[invalidates("user:<id>", fence)]
    async fn change(id: u64, body: impl AsyncFnOnce() -> u64) -> u64 {
        body().await
    }
    let [a, b] = evens();
    let source = Source::default();
    let seen = change(a, async || {
        source.find(&[a, b], "meanwhile").await;
        source.find(&[a, b], "again").await;
        a
    });
    assert_eq!(seen.await, a);
    assert_eq!(source.asked(), [vec![a, b], vec![a]]);
    assert_eq!(cached_names(&[a, b]).await.len(), 1);
}

#[tokio::test]
async fn single_calls_can_be_controlled() {
    let [a, b, c] = evens();
    let source = Source::default();
    source.find(&[a, b], "old").await;
    source.asked();

    let found = bypass(source.find(&[a, c], "source")).await;
    assert_eq!(
        names(&found),
        BTreeMap::from([(a, "source"), (c, "source")])
    );
    assert_eq!(source.asked(), [[a, c]]);
    assert_eq!(cached_names(&[a, c]).await.len(), 1);

    let found = only_cached(source.find(&[a, b], "source")).await;
    assert_eq!(found.map(|found| found.len()), Some(2));
    assert_eq!(only_cached(source.find(&[a, c], "source")).await, None);
    assert_eq!(source.asked(), Vec::<Vec<u64>>::new());

    let found = refresh(source.find(&[a, c], "new")).await;
    assert_eq!(names(&found), BTreeMap::from([(a, "new"), (c, "new")]));
    let cached = cached_names(&[a, b, c]).await;
    let expected = [(a, "new"), (b, "old"), (c, "new")];
    assert_eq!(
        cached,
        expected.map(|(id, name)| (id, name.to_owned())).into()
    );
}

/// What the source does not have any more must not be served on.
#[tokio::test]
async fn a_refresh_drops_what_is_gone() {
    let [a, b] = evens();
    let source = Source::default();
    source.find(&[a, b], "old").await;
    let body = |_| std::future::ready(loaded(&[b], "new"));
    assert_eq!(
        refresh(find_users(&[a, b], body)).await,
        loaded(&[b], "new")
    );
    let cached = cached_names(&[a, b]).await;
    assert_eq!(cached, BTreeMap::from([(b, "new".to_owned())]));
}

#[tokio::test]
async fn switched_off_it_is_the_plain_function() {
    #[cached(batch, key = "user:<id>", ttl = "1h", skip(source, cache), cache = cache)]
    async fn find(ids: &[u64], source: &Source, cache: &Cache) -> HashMap<u64, User> {
        source.load(ids, "loaded")
    }
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    let source = Source::default();
    find(&[2, 4], &source, &cache).await;
    for mode in [Mode::Off, Mode::Detached] {
        cache.set_mode(mode).expect("it is one's own");
        assert_eq!(find(&[2, 6, 2], &source, &cache).await.len(), 2);
        assert_eq!(only_cached(find(&[2], &source, &cache)).await, None);
    }
    let all = [vec![2, 4], vec![2, 6, 2], vec![2, 6, 2]];
    assert_eq!(source.asked(), all, "as they were given");
    let stats = cache.stats();
    assert_eq!(
        (stats.calls(), stats.unanswered),
        (4, 2),
        "one for each key"
    );
}

#[tokio::test]
async fn each_key_is_counted() {
    #[cached(batch, key = "user:<id>", ttl = "1h", skip(source, cache), cache = cache)]
    async fn find(ids: &[u64], source: &Source, cache: &Cache) -> HashMap<u64, User> {
        source.load(ids, "loaded")
    }
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    let source = Source::default();
    find(&[2, 4, 6], &source, &cache).await;
    find(&[2, 4, 6, 8, 4, 8], &source, &cache).await;
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.loads), (3, 4, 4));
    assert_eq!((stats.fills, stats.calls()), (4, 7));
}

#[tokio::test]
async fn every_value_has_its_own_life() {
    #[cached(
        batch, key = "lives:<id>", skip(source),
        when = |user: &User| user.id != 2,
        ttl_by = |user| if user.id == 4 { Duration::ZERO } else { Duration::from_secs(60) },
    )]
    async fn find(ids: &[u64], source: &Source) -> HashMap<u64, User> {
        source.load(ids, "loaded")
    }
    #[cached(batch, key = "lives:by_call:<id>", ttl = if short { Duration::ZERO } else { Duration::from_secs(60) }, skip(source, short))]
    async fn find_for(ids: &[u64], short: bool, source: &Source) -> HashMap<u64, User> {
        source.load(ids, "loaded")
    }
    let [a] = evens();
    let source = Source::default();
    find(&[2, 4, a + 4], &source).await;
    find(&[2, 4, a + 4], &source).await;
    assert_eq!(source.asked(), [vec![2, 4, a + 4], vec![2, 4]]);

    for short in [true, false, false] {
        find_for(&[a], short, &source).await;
    }
    assert_eq!(source.asked(), [[a], [a]]);
}

#[tokio::test]
async fn a_value_of_another_version_is_replaced() {
    #[cached(batch, key = "user:<id>", ttl = "1h", version = 2, skip(source))]
    async fn newer(ids: &[u64], source: &Source) -> HashMap<u64, User> {
        source.load(ids, "newer")
    }
    let [a] = evens();
    let source = Source::default();
    source.find(&[a], "older").await;
    for _ in 0..2 {
        assert_eq!(names(&newer(&[a], &source).await)[&a], "newer");
    }
    assert_eq!(source.asked(), [[a], [a]]);
}

#[tokio::test]
async fn values_have_the_tags_of_their_key() {
    #[cached(batch, key = "tagged:<tenant>:<id>", ttl = "1h", tags = ["tenant:<tenant>", "member:<id>"], skip(source))]
    async fn find(tenant: u64, ids: &[u64], source: &Source) -> HashMap<u64, User> {
        source.load(ids, "loaded")
    }
    #[cached(key = "tagged:<tenant>:<id>", ttl = "1h", tags = ["tenant:<tenant>", "member:<id>"])]
    async fn find_one(tenant: u64, id: u64) -> Option<User> {
        let _ = (tenant, id);
        None
    }
    #[invalidates(tag = "member:<id>")]
    async fn change_member(id: u64) {
        let _ = id;
    }
    #[invalidates(tag = "tenant:<tenant>")]
    async fn change_tenant(tenant: u64) {
        let _ = tenant;
    }
    let [tenant, a, b, c] = evens();
    let source = Source::default();
    let ids = [a, b, c];
    for _ in 0..2 {
        assert_eq!(find(tenant, &ids, &source).await.len(), 3);
    }
    assert!(find_one(tenant, a).await.is_some(), "the same entry");
    assert_eq!(source.asked(), [ids]);
    change_member(b).await;
    find(tenant, &ids, &source).await;
    assert_eq!(source.asked(), [[b]]);
    change_tenant(tenant).await;
    find(tenant, &ids, &source).await;
    find(tenant, &ids, &source).await;
    assert_eq!(source.asked(), [ids]);
}

#[derive(CacheKey)]
#[cache_key("typed:<tenant>:<id>", value = User)]
struct Typed<'a> {
    tenant: &'a str,
    id: u64,
}

/// Forms of signatures: typed keys, arguments that are consumed or borrowed mutably, other maps, methods.
#[tokio::test]
async fn it_goes_on_many_forms_of_functions() {
    struct Repository {
        tenant: String,
    }
    impl Repository {
        #[cached(batch, key = Typed { tenant: &self.tenant, id }, ttl = "1h", skip(runs))]
        async fn typed(&self, ids: Vec<u64>, runs: &mut usize) -> BTreeMap<u64, User> {
            *runs += 1;
            let users = ids.into_iter().map(|id| (id, User::named(id, "typed")));
            users.collect()
        }

        #[cached(batch(name in of), key = "named:<self.tenant>:<name>:<kind>", ttl = "1h")]
        async fn named(
            &self,
            kind: u8,
            mut of: Vec<String>,
        ) -> Result<HashMap<String, u64>, Unique> {
            if of.iter().any(String::is_empty) {
                return Err(Unique("a name is missing"));
            }
            of.sort();
            let lens = of.into_iter().map(|name| {
                let len = name.len() as u64 + u64::from(kind);
                (name, len)
            });
            Ok(lens.collect())
        }
    }
    let repository = Repository {
        tenant: format!("tenant-{}", fresh()),
    };
    let mut runs = 0;
    for _ in 0..2 {
        let found = repository.typed(vec![3, 1], &mut runs).await;
        assert_eq!(found.into_keys().collect::<Vec<_>>(), [1, 3]);
    }
    assert_eq!(runs, 1);
    let names = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let found = repository.named(1, names(["b", "aa"])).await;
    let expected = HashMap::from([("aa".to_owned(), 3), ("b".to_owned(), 2)]);
    assert_eq!(found, Ok(expected));
    let failed = repository.named(1, names(["", "aa"])).await;
    assert_eq!(failed, Err(Unique("a name is missing")));
    assert!(repository.named(1, names(["aa", "b"])).await.is_ok());
}

#[async_trait::async_trait]
trait Users {
    async fn users(&self, ids: &[u64]) -> HashMap<u64, User>;
}

#[async_trait::async_trait]
impl Users for Source {
    #[cached(batch, key = "trait:<id>", ttl = "1h")]
    async fn users(&self, ids: &[u64]) -> HashMap<u64, User> {
        self.load(ids, "of a trait")
    }
}

#[tokio::test]
async fn it_goes_on_boxed_functions_and_through_a_task() {
    let [a, b] = evens();
    let source = Arc::new(Source::default());
    let users: Arc<dyn Users + Send + Sync> = source.clone();
    for _ in 0..2 {
        let users = users.clone();
        let found = tokio::spawn(async move { users.users(&[a, b]).await });
        assert_eq!(found.await.expect("an end").len(), 2);
    }
    assert_eq!(source.asked(), [[a, b]]);
}

#[tokio::test]
async fn a_dropped_call_leaves_the_keys_free() {
    let [a, b] = evens();
    let load = begin(vec![a, b]).await;
    load.call.abort();
    assert!(load.call.await.is_err());
    let source = Source::default();
    assert_eq!(source.find(&[a, b], "new").await.len(), 2);
    assert_eq!(source.asked(), [[a, b]]);
    assert_eq!(cached_names(&[a, b]).await.len(), 2);
}

/// Its keys are its own: each of the ids.
#[tokio::test]
async fn an_invalidation_over_a_slice_drops_each() {
    #[invalidates("user:<ids>")]
    async fn change(ids: &[u64]) {
        let _ = ids;
    }
    #[invalidates("user:<ids>", fence)]
    async fn consume(ids: Vec<u64>) -> u64 {
        ids.into_iter().fold(0, |count, _| count + 1)
    }
    #[invalidates("user:<ids>")]
    async fn set(ids: &HashSet<u64>) -> usize {
        ids.len()
    }
    #[invalidates("user:<users.id>")]
    async fn save<const N: usize>(users: [User; N]) {
        drop(users);
    }
    let ids: [u64; 6] = evens();
    let [a, b, c, d, saved, left] = ids;
    Source::default().find(&ids, "old").await;
    change(&[a, b]).await;
    assert_eq!(cached_names(&ids).await.len(), 4);
    assert_eq!(consume(vec![c]).await, 1);
    assert_eq!(set(&HashSet::from([d])).await, 1);
    assert_eq!(cached_names(&ids).await.len(), 2);
    save([User::named(saved, "new")]).await;
    let names = cached_names(&ids).await;
    assert_eq!(names, BTreeMap::from([(left, "old".to_owned())]));
    change(&[]).await;
    assert_eq!(cached_names(&ids).await, names);
}

#[tokio::test]
async fn tags_and_patterns_over_a_slice_drop_each() {
    #[cached(key = "of:<team>:<id>", ttl = "1h", tags = ["team:<team>"])]
    async fn member(team: u64, id: u64) -> u64 {
        team + id
    }
    #[invalidates(tag = "team:<teams>")]
    async fn change_tags(teams: &[u64]) {
        let _ = teams;
    }
    #[invalidates("of:<teams>:*")]
    async fn change_all(teams: &[u64]) {
        let _ = teams;
    }
    let is_cached = async |team, id| only_cached(member(team, id)).await.is_some();
    let [a, b, c, d] = evens();
    let other = fresh();
    for team in [a, b, c, d, other] {
        member(team, 1).await;
    }
    change_tags(&[a, b]).await;
    change_all(&[c, d]).await;
    for team in [a, b, c, d] {
        assert!(!is_cached(team, 1).await, "{team}");
    }
    assert!(is_cached(other, 1).await);
}

/// The value is one of the same key and type, whoever stores it.
#[tokio::test]
async fn direct_use_shares_the_entries() {
    let [a] = evens();
    let policy = Policy::new(Duration::from_secs(3600));
    let key = Key::of("user").part(&a);
    let put = cache_runtime::global().put(&key, User::named(a, "put"), policy);
    assert!(put.await.expect("an answer"));
    let found = Source::default().find(&[a], "loaded").await;
    assert_eq!(names(&found)[&a], "put");
}
