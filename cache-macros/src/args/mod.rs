//! The arguments of each macro, as they were written. What they mean together is for [`check`](crate::check).

pub(crate) mod allow;
pub(crate) mod batch;
pub(crate) mod cache_key;
pub(crate) mod cached;
pub(crate) mod invalidates;
pub(crate) mod key_part;
pub(crate) mod staleness;
pub(crate) mod storing;
pub(crate) mod write_through;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Expr, Ident, Lit, LitStr, Path, Token};

use crate::durations::literal;
use crate::errors::{Errors, list, meant};
use crate::template::Template;

/// A key, as it was written.
pub(crate) enum KeyArg {
    Template(Template),
    /// An expression whose type implements `CacheKey`.
    Typed(Expr),
}

impl KeyArg {
    /// `None` if the template was wrong, which is then reported.
    fn of(value: Expr, errors: &mut Errors) -> Option<Self> {
        match literal(&value) {
            Some(Lit::Str(text)) => Template::parse(text, errors).map(Self::Template),
            Some(other) => {
                errors.under(
                    other,
                    "a key is a template in a string literal, such as `\"user:<id>\"`, or an expression whose type derives `CacheKey`",
                );
                None
            }
            None => Some(Self::Typed(value)),
        }
    }
}

/// The options of one annotation: which there are, and which were given already.
pub(crate) struct Options {
    known: &'static [&'static str],
    given: Vec<String>,
}

impl Options {
    pub(crate) const fn of(known: &'static [&'static str]) -> Self {
        Self {
            known,
            given: Vec::new(),
        }
    }

    /// Whether `name` is an option that was not given before; else that is reported.
    pub(crate) fn admit(&mut self, name: &Ident, errors: &mut Errors) -> bool {
        let text = name.to_string();
        if !self.known.contains(&text.as_str()) {
            errors.at(name.span(), self.unknown(&text));
            return false;
        }
        if self.given.contains(&text) {
            errors.at(name.span(), format!("`{text}` is given twice; keep one"));
            return false;
        }
        self.given.push(text);
        true
    }

    /// What to say about an option that does not exist.
    pub(crate) fn unknown(&self, name: &str) -> String {
        let hint = meant(name, self.known.iter().copied())
            .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
        let verb = if self.known.len() == 1 {
            "only option is"
        } else {
            "options are"
        };
        format!(
            "unknown option `{name}`{hint} (the {verb} {})",
            list(self.known)
        )
    }

    /// Counts `name` as given, because it was meant to be.
    fn assume(&mut self, name: &str) {
        self.given.push(name.to_owned());
    }

    pub(crate) fn was_given(&self, name: &str) -> bool {
        self.given.iter().any(|given| given == name)
    }
}

/// Reads a comma-separated list. A mistake in one entry does not hide those in the next.
fn each(
    tokens: TokenStream,
    errors: &mut Errors,
    mut entry: impl FnMut(ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) {
    let entries = |input: ParseStream<'_>| -> syn::Result<()> {
        while !input.is_empty() {
            if let Err(error) = entry(input, errors) {
                errors.push(error);
                skip_value(input)?;
            } else if !input.is_empty() && !input.peek(Token![,]) {
                errors.push(input.error("expected `,`"));
                if !is_assignment(input) {
                    skip_value(input)?;
                }
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    };
    let read = entries.parse2(tokens);
    errors.take(read);
}

/// Whether an option, `name = …`, is next.
fn is_assignment(input: ParseStream<'_>) -> bool {
    input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==])
}

/// Skips to the next comma: the rest of an entry that was refused.
fn skip_value(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// The value after `name =`.
fn value<T: Parse>(name: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<T> {
    let missing = || {
        syn::Error::new(
            name.span(),
            format!("`{name}` needs a value: `{name} = {example}`"),
        )
    };
    if !input.peek(Token![=]) {
        return Err(missing());
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(missing());
    }
    input.parse()
}

/// The expression after `cache =`.
fn cache_of(name: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    let cache: Expr = value(name, input, "self.cache")?;
    if literal(&cache).is_some() {
        return Err(syn::Error::new_spanned(
            &cache,
            "`cache` is an expression, without quotes: `cache = self.cache`",
        ));
    }
    Ok(cache)
}

/// The path after `crate =`.
fn runtime_path(name: &Ident, input: ParseStream<'_>) -> syn::Result<Path> {
    let path: Expr = value(name, input, "path::to::cache_runtime")?;
    match &path {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        _ => Err(syn::Error::new_spanned(
            &path,
            "`crate` is a path, without quotes: `crate = path::to::cache_runtime`",
        )),
    }
}

/// A string literal next in line, left there.
fn peek_template(input: ParseStream<'_>) -> Option<LitStr> {
    input.fork().parse().ok()
}

/// The identifiers in a row of tokens, however deep.
pub(crate) fn identifiers(tokens: impl ToTokens) -> Vec<Ident> {
    fn collect(tokens: TokenStream, found: &mut Vec<Ident>) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => found.push(ident),
                TokenTree::Group(group) => collect(group.stream(), found),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    collect(tokens.into_token_stream(), &mut found);
    found
}
