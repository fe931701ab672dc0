//! What the workspace promises about itself.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn version(text: &str) -> Vec<u32> {
    text.split('.')
        .map(|part| part.parse().expect("a number"))
        .collect()
}

/// The stated MSRV is true as far as dependencies go; for our own code clippy checks it (`incompatible_msrv`).
#[test]
fn no_dependency_of_the_published_crates_needs_a_newer_compiler() {
    let metadata = metadata();
    let packages: HashMap<_, _> = list(&metadata["packages"])
        .into_iter()
        .map(|package| (package["id"].to_string(), package))
        .collect();
    let nodes: HashMap<_, _> = list(&metadata["resolve"]["nodes"])
        .into_iter()
        .map(|node| (node["id"].to_string(), node))
        .collect();
    let ours = packages
        .values()
        .find(|package| package["name"] == "cache-runtime")
        .expect("it");
    let msrv = version(ours["rust_version"].as_str().expect("a rust-version"));

    let mut seen = HashSet::new();
    let mut queue = vec![ours["id"].to_string()];
    while let Some(id) = queue.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        let package = &packages[&id];
        if let Some(needs) = package["rust_version"].as_str() {
            let mut needs = version(needs);
            needs.truncate(2);
            assert!(
                needs <= msrv,
                "{} needs Rust {needs:?}, we state {msrv:?}",
                package["name"]
            );
        }
        for dependency in list(&nodes[&id]["deps"]) {
            let kinds = list(&dependency["dep_kinds"]);
            if kinds
                .iter()
                .any(|kind| kind["kind"].is_null() || kind["kind"] == "build")
            {
                queue.push(dependency["pkg"].to_string());
            }
        }
    }
    assert!(seen.len() > 20, "the walk found the dependencies");
}

/// So `cargo test --workspace` tests them all without `--all-features`, which would also build every peer of the benchmark.
#[test]
fn the_tests_turn_on_every_feature_of_the_runtime() {
    let metadata = metadata();
    let package = |name: &str| {
        let packages = list(&metadata["packages"]);
        let found = packages.into_iter().find(|package| package["name"] == name);
        found.expect("a package")
    };
    let tests = list(&package("cache-tests")["dependencies"]);
    let runtime = tests.iter().find(|on| on["name"] == "cache-runtime");
    let runtime = runtime.expect("a dependency");
    let mut turned_on = list(&runtime["features"]);
    turned_on.push("default".into());
    let features = package("cache-runtime")["features"].clone();
    let features = features.as_object().expect("features");
    for feature in features.keys() {
        assert!(turned_on.contains(&feature.as_str().into()), "{feature}");
    }
}

#[test]
fn the_top_level_holds_what_it_should_and_nothing_else() {
    let expected = [
        "BENCHMARKS.md",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "cache-macros",
        "cache-runtime",
        "examples",
        "tests",
    ];
    let mut found: Vec<_> = root()
        .read_dir()
        .expect("the workspace")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    found.sort();
    assert_eq!(found, expected);
}
