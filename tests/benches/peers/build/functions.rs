//! 500 functions: plain, cached by hand, and annotated.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::project::{OURS, Profile, REDIS, SERDE_AND_TOKIO, Workspace};
use super::seconds;

const MODULES: usize = 10;
const EACH: usize = 50;
/// How many functions a project has.
pub(crate) const FUNCTIONS: usize = MODULES * EACH;

/// What a project of so many functions costs, with its dependencies built before.
#[derive(Serialize, Deserialize)]
pub(crate) struct Functions {
    pub(crate) name: String,
    pub(crate) label: String,
    cold: Vec<Duration>,
    incremental: Vec<Duration>,
    release: Vec<Duration>,
    /// Of the stripped release program.
    pub(crate) bytes: u64,
}

impl Functions {
    /// Seconds of a build for development from nothing.
    pub(crate) fn cold(&self) -> f64 {
        seconds(&self.cold)
    }

    /// Seconds of one after a change in one function.
    pub(crate) fn incremental(&self) -> f64 {
        seconds(&self.incremental)
    }

    /// Seconds of a release build.
    pub(crate) fn release(&self) -> f64 {
        seconds(&self.release)
    }
}

/// How the functions are written.
struct Style {
    name: &'static str,
    label: &'static str,
    dependencies: &'static str,
    /// What stands before the functions of a module.
    head: &'static str,
    /// One function: `{number}` of it, and `{type}` of its value.
    function: &'static str,
}

const CACHED: &str = "cached = { version = \"4.1\", features = [\"async\", \"redis_tokio\"] }\n";

const PLAIN: &str = "pub async fn find_{number}(id: u64) -> Result<{type}, Error> {
    {type}::load({number}, id).await
}
";

const BY_HAND: &str = "pub async fn find_{number}(id: u64) -> Result<{type}, Error> {
    let key = format!(\"row-{number}:{id}\");
    let mut redis = crate::redis();
    if let Ok(Some(bytes)) = redis.get::<_, Option<Vec<u8>>>(&key).await
        && let Ok(value) = serde_json::from_slice(&bytes)
    {
        return Ok(value);
    }
    let value = {type}::load({number}, id).await?;
    if let Ok(bytes) = serde_json::to_vec(&value) {
        let _: Result<(), _> = redis.set_ex(&key, bytes, 3600).await;
    }
    Ok(value)
}
";

/// The one by hand is the base, and is built twice.
const STYLES: &[Style] = &[
    Style {
        name: "by-hand",
        label: "A: cache-aside by hand (redis, serde_json)",
        dependencies: REDIS,
        head: "use redis::AsyncCommands as _;\n",
        function: BY_HAND,
    },
    Style {
        name: "by-hand-again",
        label: "A, measured again",
        dependencies: REDIS,
        head: "use redis::AsyncCommands as _;\n",
        function: BY_HAND,
    },
    Style {
        name: "plain",
        label: "without a cache",
        dependencies: REDIS,
        head: "",
        function: PLAIN,
    },
    Style {
        name: "annotated",
        label: "**cache-runtime** `#[cached]`",
        dependencies: OURS,
        head: "",
        function: "#[cache_runtime::cached(key = \"row-{number}:<id>\", ttl = \"1h\")]\n",
    },
    Style {
        name: "cached-memory",
        label: "cached `#[concurrent_cached(max_size, ttl)]`",
        dependencies: CACHED,
        head: "",
        function: "#[cached::macros::concurrent_cached(max_size = 1000, ttl_secs = 3600)]\n",
    },
    Style {
        name: "cached-redis",
        label: "cached `#[concurrent_cached(redis)]`",
        dependencies: CACHED,
        head: "",
        function: "#[cached::macros::concurrent_cached(redis = true, ttl_secs = 3600, map_error = |_| Error)]\n",
    },
];

/// All projects, built in turns.
pub(super) fn measured(rounds: usize) -> Result<Vec<Functions>> {
    let names: Vec<_> = STYLES.iter().map(|style| style.name).collect();
    let workspace = Workspace::new(&names)?;
    for style in STYLES {
        style.write(&workspace)?;
    }
    let mut all: Vec<_> = STYLES.iter().map(Style::unmeasured).collect();
    for (style, of) in STYLES.iter().zip(&mut all) {
        eprintln!("500 functions, {}: the dependencies", style.name);
        workspace.build(style.name, Profile::Dev, TARGET)?;
        workspace.build(style.name, Profile::Release, TARGET)?;
        of.bytes = workspace.size(style.name, Profile::Release, TARGET)?;
    }
    for round in 0..rounds {
        for (style, of) in STYLES.iter().zip(&mut all) {
            eprintln!(
                "500 functions, {}: round {} of {rounds}",
                style.name,
                round + 1
            );
            let built = |profile| {
                workspace.clean(style.name, profile, TARGET)?;
                workspace.build(style.name, profile, TARGET)
            };
            of.release.push(built(Profile::Release)?);
            of.cold.push(built(Profile::Dev)?);
            workspace.write(style.name, "src/module_0.rs", &style.module(0, round + 1))?;
            of.incremental
                .push(workspace.build(style.name, Profile::Dev, TARGET)?);
        }
    }
    Ok(all)
}

const TARGET: &str = "target";

impl Style {
    fn unmeasured(&self) -> Functions {
        Functions {
            name: self.name.to_owned(),
            label: self.label.to_owned(),
            cold: Vec::new(),
            incremental: Vec::new(),
            release: Vec::new(),
            bytes: 0,
        }
    }

    fn write(&self, workspace: &Workspace) -> Result<()> {
        workspace.add(self.name, &(SERDE_AND_TOKIO.to_owned() + self.dependencies))?;
        workspace.write(self.name, "src/main.rs", &self.main())?;
        for module in 0..MODULES {
            workspace.write(
                self.name,
                &format!("src/module_{module}.rs"),
                &self.module(module, 0),
            )?;
        }
        Ok(())
    }

    /// Calls every function, so that each is compiled.
    fn main(&self) -> String {
        let mut text = String::new();
        for module in 0..MODULES {
            let _ = writeln!(text, "mod module_{module};");
        }
        text += "\n#[derive(Clone, Debug)]\npub struct Error;\n";
        if self.function == BY_HAND {
            text += "\nstatic REDIS: std::sync::OnceLock<redis::aio::MultiplexedConnection> = std::sync::OnceLock::new();\n\
                     \npub fn redis() -> redis::aio::MultiplexedConnection {\n    REDIS.get().expect(\"connected\").clone()\n}\n";
        }
        text +=
            "\n#[tokio::main]\nasync fn main() {\n    let id = std::env::args().len() as u64;\n";
        if self.function == BY_HAND {
            text += "    let client = redis::Client::open(\"redis://localhost\").expect(\"a URL\");\n\
                     \x20   let connection = client.get_multiplexed_async_connection().await.expect(\"a connection\");\n\
                     \x20   let _ = REDIS.set(connection);\n";
        }
        for module in 0..MODULES {
            let _ = writeln!(
                text,
                "    for call in module_{module}::all(id) {{\n        println!(\"{{}}\", call.await);\n    }}"
            );
        }
        text + "}\n"
    }

    /// One module, after so many edits.
    fn module(&self, module: usize, edits: usize) -> String {
        let row = format!("Row{module}");
        let mut text = format!(
            "use crate::Error;\n{}\n\
             #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]\n\
             pub struct {row} {{\n    pub id: u64,\n    pub name: String,\n    pub email: Option<String>,\n    pub roles: Vec<String>,\n}}\n\n\
             impl {row} {{\n    async fn load(number: u64, id: u64) -> Result<Self, Error> {{\n        tokio::task::yield_now().await;\n        \
             Ok(Self {{ id: id + number, name: id.to_string(), email: None, roles: Vec::new() }})\n    }}\n}}\n",
            self.head
        );
        let numbers = module * EACH..(module + 1) * EACH;
        for number in numbers.clone() {
            // An attribute stands on a function that is written as without a cache.
            let template = if self.function.starts_with("#[") {
                self.function.to_owned() + PLAIN
            } else {
                self.function.to_owned()
            };
            let mut function = template
                .replace("{number}", &number.to_string())
                .replace("{type}", &row);
            if number == 0 {
                function = function.replace("load(0, id)", &format!("load({edits}, id)"));
            }
            let _ = write!(text, "\n{function}");
        }
        text += "\ntype Call = std::pin::Pin<Box<dyn Future<Output = bool>>>;\n\npub fn all(id: u64) -> Vec<Call> {\n    vec![\n";
        for number in numbers {
            let _ = writeln!(
                text,
                "        Box::pin(async move {{ find_{number}(id).await.is_ok() }}),"
            );
        }
        text + "    ]\n}\n"
    }
}
