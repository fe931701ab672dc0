//! What it was measured on.

use std::process::Command;

/// Today, as a date.
pub(crate) fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// The CPU, its cores, the kernel and the programs that take part, a line each.
pub(crate) fn lines() -> Vec<String> {
    let kernel = rustix::system::uname();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        format!("{}, {cores} cores, {:.0} GB", cpu(), memory()),
        format!(
            "{} {}",
            kernel.sysname().to_string_lossy(),
            kernel.release().to_string_lossy()
        ),
        output("rustc", &["--version"]),
        output("redis-server", &["--version"])
            .split(" sha=")
            .next()
            .unwrap_or_default()
            .to_owned(),
    ]
}

/// The crates that take part, with their versions.
pub(crate) fn crates() -> Vec<String> {
    let tree = [
        "tree",
        "--package",
        "cache-tests",
        "--features",
        "peers",
        "--edges",
        "normal",
        "--depth",
        "1",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--locked",
    ];
    let wanted = [
        "accelerator",
        "cached",
        "cachekit-rs",
        "hitbox",
        "hitbox-fn",
        "hitbox-moka",
        "hitbox-redis",
        "moka",
        "quick_cache",
        "redis",
        "tokio",
    ];
    let listed = output(env!("CARGO"), &tree);
    let of_interest = listed.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?);
        wanted
            .contains(&name)
            .then(|| format!("{name} {}", version.trim_start_matches('v')))
    });
    of_interest.collect()
}

/// How many threads want to run besides ours, on average over the last minute. Only Linux tells.
pub(crate) fn load() -> Option<f64> {
    let load = std::fs::read_to_string("/proc/loadavg").ok()?;
    load.split(' ').next()?.parse().ok()
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().trim().to_owned()
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |(_, name)| name.to_owned(),
    )
}

/// In gigabytes.
fn memory() -> f64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = info.lines().find_map(|line| {
        let line = line.strip_prefix("MemTotal:")?;
        line.trim().strip_suffix(" kB")?.parse::<f64>().ok()
    });
    kib.unwrap_or_default() * 1024.0 / 1e9
}
