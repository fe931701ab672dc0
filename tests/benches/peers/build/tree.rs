//! A program that has the dependencies and uses none of them.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::project::{OURS, Profile, REDIS, SERDE_AND_TOKIO, Workspace};
use super::seconds;

/// What the dependencies cost.
#[derive(Serialize, Deserialize)]
pub(crate) struct Tree {
    pub(crate) name: String,
    pub(crate) label: String,
    clean: Vec<Duration>,
    pub(crate) crates: usize,
}

impl Tree {
    /// Seconds of a build for development from nothing.
    pub(crate) fn clean(&self) -> f64 {
        seconds(&self.clean)
    }
}

/// A name, which is that of none of the dependencies, a label and the dependencies. The first is the base, and is built twice.
const TREES: &[(&str, &str, &str)] = &[
    ("plain", "A: redis, tokio, serde, serde_json", REDIS),
    ("plain-again", "A, measured again", REDIS),
    ("ours", "**cache-runtime** with default features", OURS),
    (
        "with-cached",
        "cached with `async`, `redis_tokio`",
        "cached = { version = \"4.1\", features = [\"async\", \"redis_tokio\"] }\n",
    ),
    (
        "with-hitbox",
        "hitbox, hitbox-fn with `derive`, hitbox-redis",
        "hitbox = \"0.2.4\"\nhitbox-fn = { version = \"0.2.1\", features = [\"derive\"] }\nhitbox-redis = \"0.2.1\"\n",
    ),
    (
        "with-cachekit",
        "cachekit-rs with `l1`, `macros`, `redis`, `reliability`",
        "cachekit-rs = { version = \"0.13.1\", default-features = false, features = [\"l1\", \"macros\", \"redis\", \"reliability\"] }\n",
    ),
    (
        "with-accelerator",
        "accelerator",
        "accelerator = \"0.1.1\"\n",
    ),
];

const TARGET: &str = "target";

/// All of them, built in turns.
pub(super) fn measured(rounds: usize) -> Result<Vec<Tree>> {
    let names: Vec<_> = TREES.iter().map(|(name, ..)| *name).collect();
    let workspace = Workspace::new(&names)?;
    let mut all = Vec::new();
    for (name, label, dependencies) in TREES {
        workspace.add(name, &(SERDE_AND_TOKIO.to_owned() + dependencies))?;
        workspace.write(name, "src/main.rs", "fn main() {}\n")?;
        all.push(Tree {
            name: (*name).to_owned(),
            label: (*label).to_owned(),
            clean: Vec::new(),
            crates: 0,
        });
    }
    for of in &mut all {
        of.crates = workspace.crates(&of.name)?;
    }
    for round in 0..rounds {
        for of in &mut all {
            eprintln!(
                "dependencies of {}: round {} of {rounds}",
                of.name,
                round + 1
            );
            workspace.clean_all(TARGET)?;
            of.clean
                .push(workspace.build(&of.name, Profile::Dev, TARGET)?);
        }
    }
    Ok(all)
}
