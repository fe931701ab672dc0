//! Which process answers: behind a balancer, a request may reach another than the last one did.

use std::sync::LazyLock;

use serde::Serialize;

/// A process, told apart from all others: in containers, each has the number 1.
#[derive(Debug, Serialize)]
pub(super) struct Process {
    /// Random, as hex digits: a number of JSON would be rounded by the page.
    pub(super) id: String,
    pid: u32,
}

impl Process {
    /// This one.
    pub(super) fn own() -> &'static Self {
        static OWN: LazyLock<Process> = LazyLock::new(|| Process {
            id: format!("{:016x}", fastrand::u64(..)),
            pid: std::process::id(),
        });
        &OWN
    }
}
