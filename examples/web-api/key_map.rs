//! `cargo run --example key-map`
//!
//! Prints which function of the service caches or invalidates what, and what is wrong with that: nothing, it is hoped.
//! With `--format mermaid` or `--format dot`, the same as a graph:
//!
//! ```text
//! cargo run --example key-map -- --format dot | dot -Tsvg > keys.svg
//! ```
//!
//! The exit code is 1 if there is an error.

use std::process::ExitCode;

use cache_runtime::{Audit, Severity};
use clap::{Parser, ValueEnum};
// Nothing of it is called: it is linked, and so its functions are registered.
use web_api as _;

/// Which function of the service caches or invalidates what.
#[derive(Debug, Parser)]
struct Args {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A table.
    Table,
    /// A flowchart for Mermaid.
    Mermaid,
    /// A graph for Graphviz.
    Dot,
}

impl Format {
    fn of(self, audit: &Audit) -> String {
        match self {
            Self::Table => audit.map().to_string(),
            Self::Mermaid => audit.map().to_mermaid(),
            Self::Dot => audit.map().to_dot(),
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let audit = cache_runtime::audit();
    print!("{}", args.format.of(&audit));
    // On stderr, so that a graph can be piped on.
    eprintln!("\n{audit}");
    exit_code(&audit)
}

fn exit_code(audit: &Audit) -> ExitCode {
    let mut findings = audit.findings().iter();
    if findings.any(|finding| finding.severity() == Severity::Error) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_service_is_shown() {
        let audit = cache_runtime::audit();
        for format in Format::value_variants() {
            let text = format.of(&audit);
            for function in [
                "users::find_user",
                "users::rename_user",
                "dashboards::dashboard",
                "orders::place_order",
                "accounts::close_account",
                "accounts::hand_over_orders",
                "sessions::find_session",
                "sessions::delete_session",
                "settings::settings",
                "settings::update_settings",
            ] {
                assert!(text.contains(function), "{function} is not in:\n{text}");
            }
        }
    }

    #[test]
    fn it_succeeds() {
        assert_eq!(exit_code(&cache_runtime::audit()), ExitCode::SUCCESS);
    }
}
