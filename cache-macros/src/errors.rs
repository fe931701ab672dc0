//! Everything that is wrong with one annotation, reported in one pass.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Collects errors. [`finish`](Self::finish) is the only way to be rid of one: in debug builds, dropping it
/// instead is an assertion failure, so that no error is ever lost on the way.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    finished: bool,
}

impl Errors {
    /// An error at one place.
    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, message));
    }

    /// An error under all of `tokens`.
    pub(crate) fn under(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// An error that somebody else has made.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// The value, or `None` and one error more.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// How many so far. With [`is_new_since`](Self::is_new_since), what tells a step that it was right.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// Whether something was found since `count` was taken.
    pub(crate) fn is_new_since(&self, count: usize) -> bool {
        self.found.len() > count
    }

    /// `compile_error!`s for what was found, if anything was.
    pub(crate) fn finish(mut self) -> Result<(), TokenStream> {
        self.finished = true;
        if self.found.is_empty() {
            return Ok(());
        }
        Err(self
            .found
            .iter()
            .map(syn::Error::to_compile_error)
            .collect())
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        debug_assert!(
            self.finished || std::thread::panicking(),
            "errors were dropped without being reported: {:?}",
            self.found
        );
    }
}

/// The one of `known` that `name` was probably meant to be.
pub(crate) fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count().max(3) / 3).min(3);
    let (distance, best) = known
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= allowed).then_some(best)
}

/// `a`, `b` and `c`, in backticks.
pub(crate) fn list<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let mut quoted: Vec<String> = names
        .into_iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    match quoted.pop() {
        None => String::from("nothing"),
        Some(only) if quoted.is_empty() => only,
        Some(last) => format!("{} and {last}", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_recognised_and_a_different_word_is_not() {
        assert_eq!(meant("user_di", ["limit", "user_id"]), Some("user_id"));
        assert_eq!(meant("tll", ["key", "ttl"]), Some("ttl"));
        assert_eq!(meant("tags", ["key", "ttl", "skip"]), None);
        assert_eq!(meant("x", ["id"]), None);
    }

    #[test]
    fn lists_read_as_prose() {
        assert_eq!(list(["a"]), "`a`");
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
    }

    #[test]
    #[cfg(debug_assertions)]
    fn forgotten_errors_are_a_bug() {
        let forgotten = std::panic::catch_unwind(|| drop(Errors::default()));
        assert!(forgotten.is_err());
    }
}
