//! What shows that a promise was broken, in words.

use super::{Checker, index};
use crate::database::Commit;
use crate::history::{Loaded, Required};
use crate::record::{Asked, Process, Read};
use crate::violation::Line;

impl Checker {
    /// The mutation that is in force, where the old value came from, and the read.
    pub(super) fn lines_of(
        &self,
        read: &Read,
        process: Process,
        version: u64,
        commit: &Commit,
        required: Required,
    ) -> Vec<Line> {
        let history = &self.keys[index(read.key)];
        let older = history.version(version).into_iter();
        let mut lines: Vec<_> = older
            .chain([*commit])
            .map(|commit| Line {
                from: commit.write.start,
                to: Some(commit.at),
                who: name(commit.write.op.process),
                what: format!(
                    "{:?} mutates key {}; commits version {} at the end of this",
                    commit.write.kind, read.key, commit.version
                ),
            })
            .collect();
        // A load that was still running when its value was overtaken comes first, else the last.
        let loads = || {
            history.loads().filter(|loaded| {
                loaded.load.version == Some(version) && loaded.load.from < read.end
            })
        };
        let source = loads()
            .find(|loaded| loaded.load.to > commit.at)
            .or_else(|| loads().next_back());
        lines.extend(source.map(|loaded| load_line(read.key, loaded)));
        lines.push(Line {
            from: required.from,
            to: None,
            who: "promise".to_owned(),
            what: format!(
                "version {} is in force from here on, by {:?}",
                required.version, required.by
            ),
        });
        lines.push(read_line(process, read));
        lines
    }
}

pub(super) fn name(process: Process) -> String {
    format!("worker {}", process.0)
}

pub(super) fn load_line(key: u64, loaded: &Loaded) -> Line {
    let version = match loaded.load.version {
        Some(version) => format!("version {version}"),
        None => "nothing".to_owned(),
    };
    Line {
        from: loaded.load.from,
        to: Some(loaded.load.to),
        who: name(loaded.process),
        what: format!("loads {version} of key {key}"),
    }
}

pub(super) fn read_line(process: Process, read: &Read) -> Line {
    let how = match read.load {
        Some(_) => "by its own load",
        None => "from the cache",
    };
    let asked = match read.asked {
        Asked::Nothing => "",
        Asked::Refresh => ", as a refresh",
        Asked::Bypass => ", as a bypass",
        Asked::OnlyCached => ", as only cached",
        Asked::Transaction => ", within a transaction",
    };
    Line {
        from: read.start,
        to: Some(read.end),
        who: name(process),
        what: format!("reads key {} {how}{asked}: {:?}", read.key, read.found),
    }
}
