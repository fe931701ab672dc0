//! A throwaway workspace.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// This repository.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A workspace in a temporary folder, with the lock file of this repository, so that all versions are those of the rest
/// of the report.
pub(super) struct Workspace {
    folder: TempDir,
}

/// How it is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    Dev,
    Release,
}

impl Profile {
    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Release => &["--release"],
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

impl Workspace {
    pub(super) fn new(members: &[&str]) -> Result<Self> {
        let folder = TempDir::new()?;
        let manifest = format!(
            "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n[profile.release]\nstrip = true\n"
        );
        std::fs::write(folder.path().join("Cargo.toml"), manifest)?;
        std::fs::copy(
            format!("{REPOSITORY}/Cargo.lock"),
            folder.path().join("Cargo.lock"),
        )?;
        Ok(Self { folder })
    }

    /// Adds a program of this name.
    pub(super) fn add(&self, name: &str, dependencies: &str) -> Result<()> {
        let dependencies = dependencies.replace("{repository}", REPOSITORY);
        self.write(
            name,
            "Cargo.toml",
            &format!(
                "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}"
            ),
        )
    }

    /// Writes one of its files.
    pub(super) fn write(&self, name: &str, file: &str, text: &str) -> Result<()> {
        let path = self.path().join(name).join(file);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        Ok(std::fs::write(path, text)?)
    }

    /// Builds it, and tells how long that took. `target` keeps what is built for some apart from others.
    pub(super) fn build(&self, name: &str, profile: Profile, target: &str) -> Result<Duration> {
        let started = Instant::now();
        self.cargo(
            target,
            ["build", "--quiet", "--package", name]
                .iter()
                .chain(profile.args()),
        )?;
        Ok(started.elapsed())
    }

    /// Forgets what was built of it, and keeps what was built of its dependencies.
    pub(super) fn clean(&self, name: &str, profile: Profile, target: &str) -> Result<()> {
        self.cargo(
            target,
            ["clean", "--quiet", "--package", name]
                .iter()
                .chain(profile.args()),
        )?;
        Ok(())
    }

    /// Forgets everything.
    pub(super) fn clean_all(&self, target: &str) -> Result<()> {
        let folder = self.path().join(target);
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        Ok(())
    }

    /// How large the program is, in bytes.
    pub(super) fn size(&self, name: &str, profile: Profile, target: &str) -> Result<u64> {
        let program = self.path().join(target).join(profile.folder()).join(name);
        Ok(std::fs::metadata(program)?.len())
    }

    /// How many crates it is made of, without those that only build scripts need.
    pub(super) fn crates(&self, name: &str) -> Result<usize> {
        let args = [
            "tree",
            "--package",
            name,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--no-dedupe",
        ];
        let listed = self.cargo("target", args.iter())?;
        let mut crates: Vec<_> = listed.lines().collect();
        crates.sort_unstable();
        crates.dedup();
        // Itself is none of them.
        Ok(crates.len() - 1)
    }

    fn cargo<'a>(&self, target: &str, args: impl Iterator<Item = &'a &'a str>) -> Result<String> {
        let output = Command::new(env!("CARGO"))
            .args(args)
            // The compiler of this build, also where a dependency brings along a file that names another.
            .env("RUSTC", Path::new(env!("CARGO")).with_file_name("rustc"))
            .env("CARGO_TARGET_DIR", self.path().join(target))
            .current_dir(self.path())
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "cargo failed");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Where `cache-runtime` is, as a dependency.
pub(super) const OURS: &str = "cache-runtime = { path = \"{repository}/cache-runtime\" }\n";

/// What every service has.
pub(super) const SERDE_AND_TOKIO: &str = "serde = { version = \"1\", features = [\"derive\"] }\n\
     tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }\n";

/// What is needed to write it by hand.
pub(super) const REDIS: &str =
    "redis = { version = \"1.8\", features = [\"tokio-comp\"] }\nserde_json = \"1\"\n";
