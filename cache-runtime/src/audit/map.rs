//! The key map: which function does what to which keys.

use std::fmt;
use std::time::Duration;

use super::template::Template;
use crate::policy::Policy;
use crate::site::{CallSite, Effect, KeyType};

/// Which function caches, writes or invalidates which keys, for the whole program.
///
/// It displays as a table, and draws itself for [Mermaid](https://mermaid.js.org) and [Graphviz](https://graphviz.org):
///
/// ```standalone_crate
/// use cache_runtime::{cached, invalidates};
///
/// #[cached(key = "user:<id>", ttl = "1h")]
/// async fn find_user(id: u64) -> Option<String> {
///     # let _ = id;
///     None
/// }
///
/// #[invalidates("user:<id>")]
/// async fn rename_user(id: u64, name: &str) {
///     # let _ = (id, name);
/// }
///
/// let audit = cache_runtime::audit();
/// println!("{}", audit.map());
/// assert_eq!(audit.map().uses().count(), 2);
/// assert!(audit.map().to_mermaid().starts_with("flowchart LR"));
/// assert!(audit.map().to_dot().starts_with("digraph"));
/// ```
#[derive(Clone, Debug)]
pub struct KeyMap {
    /// By key, then by what is done to it, then by function.
    uses: Vec<KeyUse>,
}

/// One function and one of its keys: a row of the [`KeyMap`].
#[derive(Clone, Debug)]
pub struct KeyUse {
    site: &'static CallSite,
    text: &'static str,
    pub(super) template: Option<Template>,
    pub(super) role: Role,
}

/// What an effect is to the map.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// It puts values under its keys when they are read.
    Reads(Policy),
    /// It puts what it has written under its keys.
    Writes(Policy),
    /// It puts values where a tag can make them void.
    Tags,
    /// It makes values under its keys, or with its tags, void.
    Drops,
}

impl Role {
    const fn of(effect: Effect) -> Self {
        match effect {
            Effect::Caches(policy) => Self::Reads(policy),
            Effect::WritesThrough(policy) => Self::Writes(policy),
            Effect::Invalidates => Self::Drops,
        }
    }

    const fn of_tag(effect: Effect) -> Self {
        match effect {
            Effect::Caches(_) | Effect::WritesThrough(_) => Self::Tags,
            Effect::Invalidates => Self::Drops,
        }
    }

    /// Whether there is something under its keys, or with its tags, because of it.
    pub(super) const fn is_source(self) -> bool {
        !matches!(self, Self::Drops)
    }

    /// The policy under which it puts values under its keys, if it does.
    pub(super) const fn fills(self) -> Option<Policy> {
        match self {
            Self::Reads(policy) | Self::Writes(policy) => Some(policy),
            Self::Tags | Self::Drops => None,
        }
    }

    /// Whether it keeps what is under its keys true when something has changed.
    pub(super) const fn follows_changes(self) -> bool {
        match self {
            Self::Reads(_) | Self::Tags => false,
            Self::Writes(_) | Self::Drops => true,
        }
    }

    pub(super) const fn verb(self) -> &'static str {
        match self {
            Self::Reads(_) => "caches",
            Self::Writes(_) => "writes",
            Self::Tags => "has",
            Self::Drops => "invalidates",
        }
    }
}

impl KeyUse {
    /// The function.
    #[must_use]
    pub const fn site(&self) -> &'static CallSite {
        self.site
    }

    /// The template of the key; for a typed key that of its type, if that is known, and else the expression.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.text
    }

    /// "caches `user:<id>` for 1h"
    pub(crate) fn does(&self) -> String {
        let ttl = self.ttl();
        let ttl = ttl.map_or_else(String::new, |ttl| format!(" for {ttl}"));
        format!("{} `{}`{ttl}", self.role.verb(), self.text)
    }

    pub(super) fn ttl(&self) -> Option<String> {
        let ttl = self.role.fills()?.ttl();
        // Zero stands for one that is not the same for all calls.
        (!ttl.is_zero()).then(|| readable(ttl))
    }
}

impl KeyMap {
    pub(super) fn of(
        sites: impl IntoIterator<Item = &'static CallSite>,
        types: &[&'static KeyType],
    ) -> Self {
        let mut uses: Vec<KeyUse> = sites
            .into_iter()
            .flat_map(|site| {
                let keys = site.templates().iter().enumerate();
                let keys = keys.map(move |(index, text)| KeyUse::of(site, index, text, types));
                keys.chain(site.tags().iter().map(move |tag| KeyUse::of_tag(site, tag)))
            })
            .collect();
        uses.sort_by(|a, b| {
            let order = |one: &KeyUse| {
                (
                    one.text,
                    one.role.verb(),
                    one.site.function(),
                    one.site.location(),
                )
            };
            order(a).cmp(&order(b))
        });
        Self { uses }
    }

    /// The rows, by key.
    pub fn uses(&self) -> impl Iterator<Item = &KeyUse> {
        self.uses.iter()
    }

    /// The graph as a Mermaid flowchart, which many sites show where it stands in Markdown.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let quoted = |text: &str| {
            let escaped: String = text
                .chars()
                .map(|c| match c {
                    '"' | '<' | '>' | '#' | '&' | '`' => format!("#{};", u32::from(c)),
                    _ => c.to_string(),
                })
                .collect();
            format!("\"{escaped}\"")
        };
        let graph = Graph::of(self);
        let mut lines = vec!["flowchart LR".to_owned()];
        for (number, function) in graph.functions.iter().enumerate() {
            lines.push(format!("    f{number}[{}]", quoted(function)));
        }
        for (number, key) in graph.keys.iter().enumerate() {
            lines.push(format!("    k{number}([{}])", quoted(key)));
        }
        for edge in graph.edges {
            let arrow = if edge.is_dashed { "-.->" } else { "-->" };
            let (function, label, key) = (edge.function, quoted(&edge.label), edge.key);
            lines.push(format!("    f{function} {arrow}|{label}| k{key}"));
        }
        lines.join("\n") + "\n"
    }

    /// The graph in the language of Graphviz: `dot -Tsvg`.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let quoted =
            |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let graph = Graph::of(self);
        let mut lines = vec!["digraph keys {".to_owned(), "    rankdir=LR;".to_owned()];
        for (number, function) in graph.functions.iter().enumerate() {
            lines.push(format!(
                "    f{number} [shape=box, label={}];",
                quoted(function)
            ));
        }
        for (number, key) in graph.keys.iter().enumerate() {
            lines.push(format!(
                "    k{number} [shape=ellipse, label={}];",
                quoted(key)
            ));
        }
        for edge in graph.edges {
            let style = if edge.is_dashed { ", style=dashed" } else { "" };
            let (function, label, key) = (edge.function, quoted(&edge.label), edge.key);
            lines.push(format!("    f{function} -> k{key} [label={label}{style}];"));
        }
        lines.join("\n") + "\n}\n"
    }
}

impl KeyUse {
    fn of_tag(site: &'static CallSite, text: &'static str) -> Self {
        Self {
            site,
            text,
            template: Some(Template::parse(text)),
            role: Role::of_tag(site.effect()),
        }
    }

    fn of(
        site: &'static CallSite,
        index: usize,
        text: &'static str,
        types: &[&'static KeyType],
    ) -> Self {
        let template = resolved(site, index, text, types);
        Self {
            site,
            text: template.unwrap_or(text),
            template: template.map(Template::parse),
            role: Role::of(site.effect()),
        }
    }
}

/// The template of a key of a call site; `None` where that cannot be told.
pub(crate) fn resolved(
    site: &CallSite,
    index: usize,
    text: &'static str,
    types: &[&'static KeyType],
) -> Option<&'static str> {
    match site.type_of_key(index) {
        None => Some(text),
        Some(path) => template_of(path, site, types),
    }
}

/// The template of the key type that is called `path` at a call site; `None` if there is none, or more than one in question.
fn template_of(path: &str, site: &CallSite, types: &[&'static KeyType]) -> Option<&'static str> {
    let written: Vec<&str> = path
        .split("::")
        .filter(|name| !matches!(*name, "" | "crate" | "self" | "super" | "$crate"))
        .collect();
    let ends_as_written = |key: &&&KeyType| {
        let mut names = key.path().rsplit("::");
        let last_is = names.next() == written.last().copied();
        // What is in front may be the name of a re-export, which counts only where it decides between two.
        last_is && !written.is_empty()
    };
    let mut found: Vec<&KeyType> = types.iter().filter(ends_as_written).copied().collect();
    let (module, _) = site.function().rsplit_once("::")?;
    let krate = module.split("::").next()?;
    let prefer = |found: &mut Vec<&'static KeyType>, is_nearer: &dyn Fn(&KeyType) -> bool| {
        if found.iter().any(|key| is_nearer(key)) {
            found.retain(|key| is_nearer(key));
        }
    };
    let suffix = format!("::{}", written.join("::"));
    prefer(&mut found, &|key| {
        format!("::{}", key.path()).ends_with(&suffix)
    });
    prefer(&mut found, &|key| {
        key.path()
            .rsplit_once("::")
            .is_some_and(|(at, _)| at == module)
    });
    prefer(&mut found, &|key| {
        key.path().split("::").next() == Some(krate)
    });
    let template = found.first()?.template();
    let is_certain = found.iter().all(|key| key.template() == template);
    is_certain.then_some(template)
}

/// Nodes by number, and edges between these.
struct Graph<'m> {
    functions: Vec<&'m str>,
    keys: Vec<&'m str>,
    edges: Vec<Edge>,
}

struct Edge {
    function: usize,
    label: String,
    key: usize,
    is_dashed: bool,
}

impl<'m> Graph<'m> {
    fn of(map: &'m KeyMap) -> Self {
        fn number<'m>(nodes: &mut Vec<&'m str>, name: &'m str) -> usize {
            nodes
                .iter()
                .position(|node| *node == name)
                .unwrap_or_else(|| {
                    nodes.push(name);
                    nodes.len() - 1
                })
        }
        let (mut functions, mut keys) = (Vec::new(), Vec::new());
        let edges = map.uses.iter().map(|one| {
            let ttl = one.ttl().map_or_else(String::new, |ttl| format!(" {ttl}"));
            Edge {
                function: number(&mut functions, one.site.function()),
                label: format!("{}{ttl}", one.role.verb()),
                key: number(&mut keys, one.text),
                is_dashed: one.role.fills().is_none(),
            }
        });
        let edges = edges.collect();
        Self {
            functions,
            keys,
            edges,
        }
    }
}

impl fmt::Display for KeyMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["key", "effect", "ttl", "function", "where", "value"].map(String::from);
        let rows = self.uses.iter().map(|one| {
            let (file, line) = one.site.location();
            [
                one.text.to_owned(),
                one.role.verb().to_owned(),
                one.ttl().unwrap_or_default(),
                one.site.function().to_owned(),
                format!("{file}:{line}"),
                one.site.value_type().unwrap_or_default().to_owned(),
            ]
        });
        let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &rows {
            let cells: Vec<_> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// `1h 30m`
fn readable(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut units = Vec::new();
    for (unit, length) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ] {
        if rest >= length {
            units.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    units.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        assert_eq!(readable(Duration::from_secs(3600)), "1h");
        assert_eq!(readable(Duration::from_secs(5400)), "1h 30m");
        assert_eq!(readable(Duration::from_millis(86_400_250)), "1d 250ms");
    }

    static TYPES: [KeyType; 4] = [
        KeyType::new("shop::keys::UserKey", "user:<id>"),
        KeyType::new("shop::admin::UserKey", "admin:<id>"),
        KeyType::new("other::keys::OrderKey", "order:<id>"),
        KeyType::new("shop::keys::OrderKey", "shop_order:<id>"),
    ];

    #[test]
    fn a_typed_key_is_found_by_the_name_of_its_type() {
        let types: Vec<&KeyType> = TYPES.iter().collect();
        let resolve = |function: &'static str, path: &str| {
            let site = CallSite::new(function, ("lib.rs", 1), Effect::Invalidates, &[]);
            template_of(path, &site, &types)
        };
        assert_eq!(
            resolve("shop::users::f", "keys::UserKey"),
            Some("user:<id>")
        );
        assert_eq!(
            resolve("shop::users::f", "crate::keys::UserKey"),
            Some("user:<id>")
        );
        assert_eq!(resolve("shop::keys::f", "UserKey"), Some("user:<id>"));
        assert_eq!(resolve("shop::admin::f", "UserKey"), Some("admin:<id>"));
        assert_eq!(
            resolve("shop::users::f", "OrderKey"),
            Some("shop_order:<id>")
        );
        assert_eq!(
            resolve("shop::users::f", "prelude::OrderKey"),
            Some("shop_order:<id>")
        );
        assert_eq!(resolve("shop::users::f", "UserKey"), None, "one of two");
        assert_eq!(resolve("shop::users::f", "NoKey"), None);
        assert_eq!(resolve("shop::users::f", ""), None);
    }
}
