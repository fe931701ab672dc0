//! Which keys a template stands for, as far as that can be told to the store.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Serialize;

use crate::audit::templates_of;
use crate::cache::Cache;
use crate::error::CacheError;
use crate::invalidation::Effects;
use crate::site::{CallSite, Effect, call_sites};
use crate::tally::At;

/// All keys of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reach {
    /// This one: the template has no placeholder.
    Key(String),
    /// Those that begin so, with what stands in front of the first placeholder. There may be keys of other templates among them.
    Under(String),
}

impl Reach {
    /// Of a template that an annotated function of this program stores something under.
    ///
    /// # Errors
    ///
    /// Why it has none, in words.
    pub(super) fn of(template: &str) -> Result<Self, String> {
        static STORED: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
            let stores = |site: &&CallSite| !matches!(site.effect(), Effect::Invalidates);
            call_sites().filter(stores).flat_map(known).collect()
        });
        if !STORED.contains(template) {
            return Err(
                "no annotated function of this program stores anything under that key template"
                    .to_owned(),
            );
        }
        match beginning(template) {
            (text, true) => Ok(Self::Key(text)),
            (text, false) if text.is_empty() => Err(format!(
                "`{template}` begins with a placeholder, so that nothing tells its keys from others: invalidate one key, or empty the \
                 namespace"
            )),
            (text, false) => Ok(Self::Under(text)),
        }
    }

    /// Invalidates them.
    ///
    /// # Errors
    ///
    /// When the store did not take it in time. It is then queued.
    ///
    /// # Cancel safety
    ///
    /// A dropped future is delivered by a task of the runtime.
    pub(super) async fn invalidate(&self, cache: &Cache) -> Result<(), CacheError> {
        let mut effects = Effects::new(cache.clone(), At::Cache);
        match self {
            Self::Key(text) => effects.key(|writer| writer.literal(text)),
            Self::Under(text) => {
                effects.add_under(cache.inner.render(|writer| writer.literal(text)));
            }
        }
        effects.deliver().await
    }
}

/// The templates of a call site, without the expressions of typed keys whose type cannot be told.
fn known(site: &'static CallSite) -> impl Iterator<Item = &'static str> {
    let templates = templates_of(site).into_iter().zip(site.templates());
    templates
        .enumerate()
        .filter(|(index, (template, written))| {
            site.type_of_key(*index).is_none() || template != *written
        })
        .map(|(_, (template, _))| template)
}

/// What each key of a template begins with, and whether that is all of it.
fn beginning(template: &str) -> (String, bool) {
    let mut text = String::new();
    let mut characters = template.chars().peekable();
    while let Some(c) = characters.next() {
        let is_doubled = matches!(c, '<' | '>') && characters.next_if_eq(&c).is_some();
        if c == '<' && !is_doubled {
            return (text, false);
        }
        text.push(c);
    }
    (text, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_begins_with_its_literal_text() {
        for (template, text, is_all) in [
            ("settings:global", "settings:global", true),
            ("user:<id>", "user:", false),
            ("a-<id>:b", "a-", false),
            ("<<t>>:<id>", "<t>:", false),
            ("<id>:x", "", false),
        ] {
            assert_eq!(beginning(template), (text.to_owned(), is_all));
        }
    }

    #[test]
    fn one_that_is_not_there_has_none() {
        assert!(Reach::of("user:<id>").is_err());
    }
}
