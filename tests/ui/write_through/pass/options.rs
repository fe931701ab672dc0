use std::time::Duration;

use cache_runtime::{CacheKey, Codec, CodecError, invalidates, write_through};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Settings {
    theme: String,
}

#[derive(CacheKey)]
#[cache_key("settings:<team>", value = Settings)]
struct SettingsKey<'a> {
    team: &'a str,
}

struct Plain;

impl Codec for Plain {
    const ID: u8 = 77;
    fn encode<T: Serialize>(_: &T) -> Result<Vec<u8>, CodecError> {
        Err("not today".into())
    }
    fn decode<T: DeserializeOwned>(_: &[u8]) -> Result<T, CodecError> {
        Err("not today".into())
    }
}

#[write_through(key = "settings:global", ttl = "10m")]
async fn returned() -> std::io::Result<Option<Settings>> {
    Ok(None)
}

#[write_through(key = SettingsKey { team }, ttl = 600, version = 2, codec = Plain, when = |settings| !settings.theme.is_empty())]
async fn typed(team: &str) -> Settings {
    Settings { theme: team.to_owned() }
}

#[write_through(key = "settings:<team>", ttl = Duration::from_secs(1), value = |()| settings.clone())]
async fn of_argument(team: u64, settings: &Settings) -> Result<(), String> {
    let _ = (team, settings);
    Ok(())
}

#[write_through(key = "nothing:<id>", ttl = 1, value = |_| id)]
async fn returns_nothing(id: u64) {
    let _ = id;
}

struct Service {
    tenant: u64,
}

impl Service {
    #[write_through(key = "a:<self.tenant>:<id>", ttl_by = |n| Duration::from_secs(*n), value = |settings| self.tenant + settings.theme.len() as u64)]
    #[write_through(key = "b:<id>", ttl = self.ttl())]
    #[invalidates("c:<id>")]
    async fn several(&self, id: u64) -> Result<Settings, String> {
        Err(id.to_string())
    }

    fn ttl(&self) -> Duration {
        Duration::from_secs(self.tenant)
    }
}

#[async_trait::async_trait]
trait Store {
    async fn save(&self, id: u64) -> Result<Settings, String>;
}

#[async_trait::async_trait]
impl Store for Service {
    #[write_through(key = "d:<self.tenant>:<id>", ttl = self.ttl(), value = |settings| (self.tenant, settings.clone()))]
    async fn save(&self, id: u64) -> Result<Settings, String> {
        Err(format!("{id} of {}", self.tenant))
    }
}

fn main() {}
