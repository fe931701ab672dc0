//! Settings: from code, or from the environment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::changes::Changes;
use crate::clock::Clock;
use crate::envelope::Bounds;
use crate::policy::jittered;
use crate::store::Store;
use crate::store::embedded::EmbeddedStore;
#[cfg(feature = "redis")]
use crate::store::{local::LocalTier, redis::RedisStore};
use crate::switch::Mode;
#[cfg(feature = "test_util")]
use crate::test_util::TestClock;
use crate::verify::Share;

/// How a cache is set up. Start with [`from_env`](Self::from_env), [`embedded`](Self::embedded) or
/// [`redis`](Self::redis), and change what you need.
///
/// ```
/// use std::time::Duration;
/// use cache_runtime::{Cache, CacheConfig};
///
/// # fn main() -> Result<(), cache_runtime::ConfigError> {
/// let config = CacheConfig::embedded()
///     .namespace("shop")
///     .store_budget(Duration::from_millis(100));
/// let cache = Cache::new(config)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct CacheConfig {
    target: Target,
    namespace: String,
    epoch: u64,
    mode: Mode,
    embedded_capacity: usize,
    local_capacity: usize,
    local_bytes: usize,
    tracking: Option<bool>,
    settings: Settings,
}

/// Which store.
#[derive(Clone)]
enum Target {
    Embedded,
    #[cfg(feature = "redis")]
    Redis(Box<redis::Client>),
}

/// What a cache is made of.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) changes: Arc<Changes>,
    pub(crate) mode: Mode,
    /// Namespace and epoch, as they stand in front of every key.
    pub(crate) prefix: Box<[u8]>,
}

/// What the cache needs to know while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) store_budget: Duration,
    pub(crate) lease: Duration,
    pub(crate) wait: Duration,
    pub(crate) fence: Duration,
    pub(crate) bounds: Bounds,
    pub(crate) clock: Clock,
    pub(crate) verify: Share,
}

impl Settings {
    /// How long a value lives that is stored for `ttl`.
    pub(crate) fn jittered(&self, ttl: Duration) -> Duration {
        // A test counts on the end of a life, and stores too little for ends that come together to matter.
        if self.clock.is_of_test() {
            ttl
        } else {
            jittered(ttl)
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            store_budget: Duration::from_millis(250),
            lease: Duration::from_secs(10),
            wait: Duration::from_secs(2),
            fence: Duration::from_secs(10),
            bounds: Bounds {
                max_len: 8 << 20,
                compress_above: None,
            },
            clock: Clock::default(),
            verify: Share::NONE,
        }
    }
}

impl CacheConfig {
    /// The embedded store: values stay in this process, and nothing needs to be installed.
    pub fn embedded() -> Self {
        Self::with(Target::Embedded)
    }

    /// A Redis store, version 6.0 or later or compatible: `redis://[user:password@]host[:port][/database]`, and
    /// `rediss://` with the feature `redis-tls`. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// When the URL is malformed. The error does not show a password.
    #[cfg(feature = "redis")]
    pub fn redis(url: &str) -> Result<Self, ConfigError> {
        redis_target("the Redis URL", url).map(Self::with)
    }

    fn with(target: Target) -> Self {
        Self {
            target,
            namespace: "cache".to_owned(),
            epoch: 0,
            mode: Mode::On,
            embedded_capacity: 100_000,
            local_capacity: 10_000,
            local_bytes: 64 << 20,
            tracking: None,
            settings: Settings::default(),
        }
    }

    /// Reads the environment.
    ///
    /// | variable | meaning | default |
    /// | --- | --- | --- |
    /// | `REDIS_URL` | the Redis store, as for [`redis`](Self::redis); comes before the next three | none: the embedded store |
    /// | `REDIS_HOST` | the host of a Redis store | none: the embedded store |
    /// | `REDIS_PORT` | its port | 6379 |
    /// | `REDIS_PASSWORD` | its password | none |
    /// | `CACHE_ENABLED` | `false` is [`Mode::Off`] | `true` |
    /// | `REDIS_ENABLED` | `false` is [`Mode::Detached`]; comes before `CACHE_ENABLED` | `true` |
    /// | `CACHE_NAMESPACE` | stands in front of every key | `cache` |
    /// | `CACHE_EPOCH` | stands after the namespace; a new number begins with an empty cache | 0 |
    /// | `CACHE_VERIFY` | the share of the hits to hold against their source, see [`verify`](Self::verify) | 0 |
    ///
    /// A switch is `true`, `1`, `on`, `yes`, or `false`, `0`, `off`, `no`, in any case. An empty variable counts as not set.
    ///
    /// # Errors
    ///
    /// When a variable holds what it may not; the error names the variable and what is accepted, and shows no password.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = cache_runtime::Cache::new(cache_runtime::CacheConfig::from_env()?)?;
    /// # Ok(()) }
    /// ```
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(|name| match std::env::var(name) {
            Ok(value) => Some(value),
            Err(std::env::VarError::NotPresent) => None,
            // Not Unicode: no value that any of the variables accepts.
            Err(std::env::VarError::NotUnicode(_)) => Some("\u{fffd}".to_owned()),
        })
    }

    /// Reads the same variables from elsewhere: a test, or a settings file.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    ///
    /// ```
    /// use cache_runtime::CacheConfig;
    ///
    /// let error = CacheConfig::from_vars(|name| (name == "CACHE_ENABLED").then(|| "maybe".to_owned())).err();
    /// assert!(error.is_some_and(|e| e.to_string().contains("CACHE_ENABLED")));
    /// ```
    pub fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let flag = |name| lookup(name).map_or(Ok(true), |value| parse_flag(name, &value));
        let (redis_enabled, cache_enabled) = (flag("REDIS_ENABLED")?, flag("CACHE_ENABLED")?);
        // Read even when Redis is not to be contacted: a wrong value is found before the day it is needed.
        let mut config = Self::with(target_of(lookup)?);
        config.mode = match (redis_enabled, cache_enabled) {
            (false, _) => Mode::Detached,
            (true, false) => Mode::Off,
            (true, true) => Mode::On,
        };
        if let Some(namespace) = lookup("CACHE_NAMESPACE") {
            check_namespace("CACHE_NAMESPACE", &namespace)?;
            config.namespace = namespace;
        }
        if let Some(share) = lookup("CACHE_VERIFY") {
            let parsed = share
                .parse()
                .ok()
                .filter(|share| (0.0..=1.0).contains(share));
            let accepted = "a number from 0 (none of the hits) to 1 (all of them)";
            config = config.verify(
                parsed.ok_or_else(|| ConfigError::wrong("CACHE_VERIFY", &share, accepted))?,
            );
        }
        if let Some(epoch) = lookup("CACHE_EPOCH") {
            config.epoch = epoch.parse().map_err(|_| {
                ConfigError::wrong("CACHE_EPOCH", &epoch, "a whole number from 0 to 2^64 - 1")
            })?;
        }
        Ok(config)
    }

    /// What stands in front of every key: 1 to 64 characters of `A`–`Z`, `a`–`z`, `0`–`9`, `_`, `.`, `-`. Services that
    /// share a Redis and not their values need different ones. Default: `cache`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// A number that stands after the namespace. A new one begins with an empty cache. Default: 0.
    pub fn epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }

    /// How far the cache is switched on at first. Default: [`Mode::On`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The share of the hits that are held against their source, of all call sites, between 0 and 1; what is beyond counts as that: see
    /// [`Policy::verify`](crate::Policy::verify). Default: 0.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cache_runtime::{Cache, CacheConfig, Key, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = Cache::new(CacheConfig::embedded().verify(1.0))?;
    /// let (key, policy) = (Key::of("price").part(&1_u64), Policy::new(Duration::from_secs(300)));
    /// for _ in 0..3 {
    ///     cache.get_or_load(&key, policy, || async { Ok::<_, std::io::Error>(999) }).await?;
    /// }
    /// assert_eq!(cache.stats().verified, 2);
    /// # Ok(()) }
    /// ```
    pub fn verify(mut self, share: f64) -> Self {
        self.settings.verify = Share::of(share);
        self
    }

    /// How long one cached call waits for the store, all its steps and reconnecting together; what the store has not done
    /// by then is done without it. 1 ms to 1 min. Default: 250 ms.
    pub fn store_budget(mut self, budget: Duration) -> Self {
        self.settings.store_budget = budget;
        self
    }

    /// How long a lease lives. It is renewed at a third of this while its load runs, so this is how long a key stays
    /// without a fill after a process died loading it. 10 ms to 10 min. Default: 10 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// How long a fence lives. It is renewed at a third of this while its mutation runs, so this is how long a key is read
    /// past the cache after a process died mutating it. 10 ms to 10 min. Default: 10 s.
    pub fn fence(mut self, fence: Duration) -> Self {
        self.settings.fence = fence;
        self
    }

    /// How long a call waits for another's load of the same key; then it loads itself, without a fill. At most 10 min.
    /// Default: 2 s.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.settings.wait = wait;
        self
    }

    /// How large a value may be, in bytes of its encoding with its header, before it is compressed. A larger one is returned,
    /// counted, and not stored. The embedded store does not encode and has no such bound. At most 512 MiB, the bound of
    /// Redis. Default: 8 MiB.
    pub fn max_value_len(mut self, bytes: usize) -> Self {
        self.settings.bounds.max_len = bytes;
        self
    }

    /// Compresses values whose encoding is longer than this many bytes, by LZ4, if that makes them smaller. They are read
    /// whatever is set here, by every program with the feature `lz4`; for one without, they are unreadable, which is a miss.
    /// The embedded store does not encode, and does not compress. Default: nothing is compressed.
    #[cfg(feature = "lz4")]
    pub fn compress_above(mut self, bytes: usize) -> Self {
        self.settings.bounds.compress_above = Some(bytes);
        self
    }

    /// How many values the embedded store keeps; beyond that it evicts what is used least. At least 1.
    /// Default: 100 000.
    pub fn embedded_capacity(mut self, values: usize) -> Self {
        self.embedded_capacity = values;
        self
    }

    /// How many values the local tier keeps in front of Redis, of all call sites with `local_ttl` together; beyond that it evicts
    /// what is used least. At least 1. Default: 10 000.
    pub fn local_capacity(mut self, values: usize) -> Self {
        self.local_capacity = values;
        self
    }

    /// How many bytes the values of the local tier have together, by the length of their encodings. 1 KiB to 1 TiB.
    /// Default: 64 MiB.
    pub fn local_bytes(mut self, bytes: usize) -> Self {
        self.local_bytes = bytes;
        self
    }

    /// Whether Redis is asked to tell of changes (client tracking, by RESP3), so that a local tier follows them, and a call that
    /// waits for another process's load is woken. Without it, values of the local tier live by their `local_ttl` alone: for
    /// servers behind a proxy that does not know `HELLO`. Default: if any `#[cached]` of the program has a `local_ttl`.
    pub fn tracking(mut self, tracking: bool) -> Self {
        self.tracking = Some(tracking);
        self
    }

    /// Lets what lives in this process grow old by the clock of a test: see [`TestClock`] for what that is. Default: the clock
    /// of the machine.
    #[cfg(feature = "test_util")]
    pub fn clock(mut self, clock: &TestClock) -> Self {
        self.settings.clock = Clock::of_test(clock);
        self
    }

    pub(crate) fn into_parts(self) -> Result<Parts, ConfigError> {
        check_namespace("the namespace", &self.namespace)?;
        let Settings {
            store_budget,
            lease,
            wait,
            fence,
            bounds:
                Bounds {
                    max_len: max_value_len,
                    ..
                },
            clock: _,
            verify: _,
        } = self.settings;
        let (ms, minutes) = (Duration::from_millis, |n: u64| Duration::from_secs(60 * n));
        let bounds = [
            (
                "store_budget",
                (ms(1)..=minutes(1)).contains(&store_budget),
                "1 ms to 1 min",
            ),
            (
                "lease",
                (ms(10)..=minutes(10)).contains(&lease),
                "10 ms to 10 min",
            ),
            (
                "fence",
                (ms(10)..=minutes(10)).contains(&fence),
                "10 ms to 10 min",
            ),
            ("wait", wait <= minutes(10), "at most 10 min"),
            (
                "max_value_len",
                max_value_len <= 512 << 20,
                "at most 512 MiB",
            ),
            (
                "embedded_capacity",
                self.embedded_capacity >= 1,
                "at least 1",
            ),
            ("local_capacity", self.local_capacity >= 1, "at least 1"),
            (
                "local_bytes",
                (1 << 10..=1 << 40).contains(&self.local_bytes),
                "1 KiB to 1 TiB",
            ),
        ];
        for (name, within, bounds) in bounds {
            if !within {
                return Err(ConfigError(format!(
                    "`CacheConfig::{name}` is out of bounds: accepted is {bounds}"
                )));
            }
        }
        Ok(self.into_parts_in_bounds())
    }

    /// The parts of a configuration that is known to be in bounds.
    pub(crate) fn into_parts_in_bounds(self) -> Parts {
        let epoch = format!("{}:{}", self.namespace, self.epoch);
        let prefix = format!("{epoch}:");
        let clock = self.settings.clock.clone();
        let changes = Arc::<Changes>::default();
        let store = match self.target {
            Target::Embedded => Store::Embedded(EmbeddedStore::new(
                self.embedded_capacity,
                prefix.len(),
                clock,
            )),
            #[cfg(feature = "redis")]
            Target::Redis(client) => {
                let changes = changes.clone();
                let local = LocalTier::new(self.local_capacity, self.local_bytes, clock);
                let client = tracked(*client, self.tracking);
                let names = (&*self.namespace, &*epoch);
                Store::Redis(RedisStore::new(client, names, local, changes).into())
            }
        };
        Parts {
            store,
            settings: self.settings,
            changes,
            mode: self.mode,
            prefix: prefix.into_bytes().into(),
        }
    }
}

impl fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = match &self.target {
            Target::Embedded => "embedded",
            // Without the address: from a URL with a `?` in its password, a part of that is taken for the host.
            #[cfg(feature = "redis")]
            Target::Redis(_) => "redis",
        };
        f.debug_struct("CacheConfig")
            .field("store", &store)
            .field("namespace", &self.namespace)
            .field("epoch", &self.epoch)
            .field("mode", &self.mode)
            .field("embedded_capacity", &self.embedded_capacity)
            .field("local_capacity", &self.local_capacity)
            .field("local_bytes", &self.local_bytes)
            .field("tracking", &self.tracking)
            .field("settings", &self.settings)
            .finish()
    }
}

fn parse_flag(name: &'static str, value: &str) -> Result<bool, ConfigError> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err(ConfigError::wrong(
            name,
            value,
            "true, 1, on, yes, or false, 0, off, no",
        )),
    }
}

fn check_namespace(name: &'static str, value: &str) -> Result<(), ConfigError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if (1..=64).contains(&value.len()) && value.chars().all(allowed) {
        return Ok(());
    }
    Err(ConfigError::wrong(
        name,
        value,
        "1 to 64 characters of A-Z, a-z, 0-9, `_`, `.`, `-`",
    ))
}

#[cfg(feature = "redis")]
fn target_of(lookup: impl Fn(&str) -> Option<String>) -> Result<Target, ConfigError> {
    use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};

    if let Some(url) = lookup("REDIS_URL") {
        return redis_target("REDIS_URL", &url);
    }
    // Only the host names a Redis: Kubernetes sets REDIS_PORT in every pod beside a service called `redis`.
    let Some(host) = lookup("REDIS_HOST") else {
        return Ok(Target::Embedded);
    };
    let port = match lookup("REDIS_PORT") {
        None => 6379,
        Some(port) => port
            .parse()
            .map_err(|_| ConfigError::wrong("REDIS_PORT", &port, "a port from 0 to 65535"))?,
    };
    let mut user = RedisConnectionInfo::default();
    if let Some(password) = lookup("REDIS_PASSWORD") {
        user = user.set_password(password);
    }
    ConnectionAddr::Tcp(host, port)
        .into_connection_info()
        .and_then(|info| redis::Client::open(info.set_redis_settings(user)))
        .map(|client| Target::Redis(Box::new(client)))
        .map_err(|error| {
            ConfigError(format!(
                "REDIS_HOST, REDIS_PORT and REDIS_PASSWORD name no Redis: {error}"
            ))
        })
}

#[cfg(not(feature = "redis"))]
fn target_of(lookup: impl Fn(&str) -> Option<String>) -> Result<Target, ConfigError> {
    match ["REDIS_URL", "REDIS_HOST"]
        .into_iter()
        .find(|name| lookup(name).is_some())
    {
        None => Ok(Target::Embedded),
        Some(name) => Err(ConfigError(format!(
            "{name} names a Redis, and cache-runtime was built without its feature `redis`"
        ))),
    }
}

/// With tracking, the client speaks RESP3, in which a server tells of changes.
#[cfg(feature = "redis")]
fn tracked(client: redis::Client, tracking: Option<bool>) -> redis::Client {
    if !tracking.unwrap_or_else(|| crate::call_sites().any(crate::CallSite::is_local)) {
        return client;
    }
    let info = client.get_connection_info().clone();
    let settings = info.redis_settings().clone();
    let info = info.set_redis_settings(settings.set_protocol(redis::ProtocolVersion::RESP3));
    // It was opened with the same address before.
    redis::Client::open(info).unwrap_or(client)
}

#[cfg(feature = "redis")]
fn redis_target(name: &'static str, url: &str) -> Result<Target, ConfigError> {
    let url = url.trim();
    redis::Client::open(url).map(|client| Target::Redis(Box::new(client))).map_err(|_| {
        // Nothing of the value is shown: where it cannot be read, it cannot be told which part of it is the password.
        let why = if url.starts_with("rediss:") && cfg!(not(feature = "redis-tls")) {
            "`rediss://` needs the feature `redis-tls` of cache-runtime".to_owned()
        } else if url.contains("://") {
            "its scheme, host, port or database cannot be read; in a password, `#`, `?`, `/` and `@` are written %23, %3F, \
             %2F and %40"
                .to_owned()
        } else {
            "there is no `://` in it".to_owned()
        };
        ConfigError(format!(
            "{name} is no URL of a Redis (it is not shown, it may hold a password): {why}; accepted is \
             redis://[user:password@]host[:port][/database]"
        ))
    })
}

/// A setting that is not accepted. Says which, what it is, and what is accepted; shows no password.
#[derive(Clone, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// The message, as it is: `fn main() -> Result<(), ConfigError>` prints this.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ConfigError {
    fn wrong(name: &str, value: &str, accepted: &str) -> Self {
        // A value that was pasted into the wrong variable is not repeated at length.
        let shown: String = value.chars().take(40).collect();
        Self(format!(
            "{name} is `{}`: accepted is {accepted}",
            shown.escape_debug()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Result<CacheConfig, String> {
        CacheConfig::from_vars(|name| {
            vars.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        })
        .map_err(|error| error.to_string())
    }

    fn error(vars: &[(&str, &str)]) -> String {
        with(vars).err().unwrap_or_default()
    }

    #[test]
    fn nothing_set_is_the_embedded_store_switched_on() {
        let config = with(&[]).map(|c| format!("{c:?}")).unwrap_or_default();
        assert!(
            config.contains("embedded") && config.contains("mode: On"),
            "{config}"
        );
    }

    #[test]
    fn switches_have_many_spellings_and_no_others() {
        for (value, mode) in [
            ("true", Mode::On),
            ("YES", Mode::On),
            ("0", Mode::Off),
            ("off", Mode::Off),
            ("", Mode::On),
        ] {
            assert_eq!(with(&[("CACHE_ENABLED", value)]).map(|c| c.mode), Ok(mode));
        }
        assert_eq!(
            with(&[("REDIS_ENABLED", "false")]).map(|c| c.mode),
            Ok(Mode::Detached)
        );
        let message = error(&[("CACHE_ENABLED", "maybe")]);
        assert!(
            message.contains("CACHE_ENABLED is `maybe`") && message.contains("true, 1"),
            "{message}"
        );
    }

    #[test]
    fn wrong_numbers_and_names_are_named() {
        for share in ["2", "-0.1", "NaN", "1%"] {
            let message = error(&[("CACHE_VERIFY", share)]);
            assert!(
                message.contains(share) && message.contains("to 1"),
                "{message}"
            );
        }
        let message = error(&[("CACHE_EPOCH", "latest")]);
        assert!(
            message.contains("CACHE_EPOCH is `latest`") && message.contains("whole number"),
            "{message}"
        );
        assert!(error(&[("CACHE_NAMESPACE", "a:b")]).contains("CACHE_NAMESPACE is `a:b`"));
        assert!(error(&[("CACHE_NAMESPACE", &"x".repeat(65))]).contains("1 to 64"));
    }

    #[cfg(feature = "redis")]
    #[test]
    fn redis_is_named_by_url_or_host() {
        let address = |vars: &[(&str, &str)]| match with(vars).map(|config| config.target) {
            Ok(Target::Redis(client)) => client.get_connection_info().addr().to_string(),
            Ok(Target::Embedded) => "embedded".to_owned(),
            Err(message) => message,
        };
        assert_eq!(
            address(&[("REDIS_URL", "redis://u:s3cret@cache.local:6380/2")]),
            "cache.local:6380"
        );
        assert_eq!(
            address(&[("REDIS_HOST", "cache.local")]),
            "cache.local:6379"
        );
        // As Kubernetes sets it in every pod beside a service called `redis`.
        let port = ("REDIS_PORT", "tcp://10.0.0.1:6379");
        assert_eq!(address(&[port]), "embedded");
        assert!(
            address(&[("REDIS_HOST", "h"), port]).contains("REDIS_PORT is `tcp://10.0.0.1:6379`")
        );
    }

    #[cfg(feature = "redis")]
    #[test]
    fn no_password_is_ever_shown() {
        for url in [
            "redis://user:s3cret@host:port",
            "redis:user:s3cret@host",
            "http://user:s3cret@host",
            "redis://host:1/x?password=s3cret",
            "rediss://user:s3cret@host",
            "redis://us@er:s3cret@ho st",
            "redis://:s3c#ret@127.0.0.1:6379",
            "redis://user:s3c?ret@localhost",
            "redis://:p@s3c?ret@localhost:6379/0",
            "redis://user:s3cret",
            "redis://:s3cret:6379",
            "s3cret",
        ] {
            match with(&[("REDIS_URL", url)]) {
                Ok(config) => assert!(!format!("{config:?}").contains("s3c"), "{url}"),
                Err(message) => {
                    assert!(!message.contains("s3c"), "{message}");
                    assert!(message.contains("REDIS_URL"), "{message}");
                }
            }
        }
        let config = with(&[("REDIS_HOST", "h"), ("REDIS_PASSWORD", "s3cret")]);
        assert!(config.is_ok_and(|c| !format!("{c:?}").contains("s3cret")));
    }

    #[test]
    fn settings_out_of_bounds_are_refused() {
        let refused = |config: CacheConfig| {
            config
                .into_parts()
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default()
        };
        assert!(
            refused(CacheConfig::embedded().store_budget(Duration::ZERO)).contains("store_budget")
        );
        assert!(refused(CacheConfig::embedded().lease(Duration::MAX)).contains("lease"));
        assert!(refused(CacheConfig::embedded().namespace("")).contains("namespace"));
        assert!(
            refused(CacheConfig::embedded().embedded_capacity(0)).contains("embedded_capacity")
        );
    }
}
