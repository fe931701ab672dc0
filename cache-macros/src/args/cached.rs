//! `#[cached(batch, key = …, ttl = …, ttl_by = …, when = …, none_ttl = …, local_ttl = …, stale_while_revalidate = …, stale_if_error = …, refresh_ahead = …, timeout = …, refresh = …, verify = …, version = …, codec = …, tags = […], skip(…), cache = …, allow = …, crate = …)]`

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Expr, Ident, Lit, Path, parenthesized, token};

use super::allow::{Findings, OF_CACHED};
use super::batch::Batch;
use super::staleness::Staleness;
use super::storing::{Storing, Ttl};
use super::{
    KeyArg, Options, cache_of, each, is_assignment, peek_template, runtime_path, skip_value, value,
};
use crate::durations::{literal, milliseconds};
use crate::errors::Errors;

const EXAMPLE: &str = "`#[cached(key = \"user:<id>\", ttl = \"5m\")]`";

/// The arguments of `#[cached]`. What is `None` was not given, or was wrong.
pub(crate) struct Cached {
    pub(crate) batch: Option<Batch>,
    pub(crate) key: Option<KeyArg>,
    pub(crate) policy: Option<Policy>,
    pub(crate) storing: Storing,
    pub(crate) staleness: Staleness,
    pub(crate) skip: Option<Vec<Ident>>,
    pub(crate) cache: Option<Expr>,
    pub(crate) allow: Findings,
    pub(crate) runtime: Option<Path>,
}

/// How long values are stored.
pub(crate) struct Policy {
    pub(crate) ttl: Ttl,
    pub(crate) none_ttl_ms: Option<u64>,
    pub(crate) local_ttl_ms: Option<u64>,
    /// The share of the hits to hold against their source.
    pub(crate) verify: Option<f64>,
}

impl Cached {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Options::of(&[
            "key",
            "ttl",
            "ttl_by",
            "when",
            "none_ttl",
            "local_ttl",
            "stale_while_revalidate",
            "stale_if_error",
            "refresh_ahead",
            "timeout",
            "refresh",
            "verify",
            "version",
            "codec",
            "tags",
            "batch",
            "skip",
            "cache",
            "allow",
            "crate",
        ]);
        let (mut key, mut none_ttl, mut local_ttl, mut verify) = (None, None, None, None);
        let (mut batch, mut cache, mut runtime) = (None, None, None);
        let mut storing = Storing::default();
        let mut staleness = Staleness::default();
        let mut skip = Some(Vec::new());
        let mut allow = Findings::default();
        each(tokens, errors, |input, errors| {
            if let Some(template) = peek_template(input) {
                options.assume("key");
                return Err(syn::Error::new(
                    template.span(),
                    "the key needs its name: `key = \"…\"`",
                ));
            }
            if !input.peek(Ident::peek_any) {
                return Err(input.error(format!("expected an option, as in {EXAMPLE}")));
            }
            let name = input.call(Ident::parse_any)?;
            if !options.admit(&name, errors) {
                return skip_value(input);
            }
            if storing.read(&name, input, errors)? || staleness.read(&name, input)? {
                return Ok(());
            }
            match name.to_string().as_str() {
                "key" => key = KeyArg::of(value(&name, input, "\"user:<id>\"")?, errors),
                "none_ttl" => {
                    none_ttl = Some(milliseconds("none_ttl", &value(&name, input, "\"30s\"")?)?);
                }
                "local_ttl" => {
                    let value = value(&name, input, "\"5s\"")?;
                    local_ttl = Some((milliseconds("local_ttl", &value)?, value));
                }
                "verify" => verify = Some(share(&value(&name, input, "0.001")?)?),
                "skip" => {
                    // If it cannot be read, it is not known what it leaves out.
                    skip = None;
                    skip = skipped(&name, input, errors)?;
                }
                "batch" => batch = Some(Batch::parse(&name, input)?),
                "cache" => cache = Some(cache_of(&name, input)?),
                "allow" => allow = Findings::parse(&name, input, OF_CACHED, errors)?,
                _ => runtime = Some(runtime_path(&name, input)?),
            }
            Ok(())
        });
        if !options.was_given("key") {
            errors.at(
                Span::call_site(),
                format!("`key` is missing: what tells two calls apart, as in {EXAMPLE}"),
            );
        }
        if let Some((ms, value)) = &local_ttl {
            local_ttl_conflicts(*ms, value, &storing, errors);
        }
        staleness.conflicts(&options, errors);
        match &batch {
            Some(batch) => batch.conflicts(&staleness, &options, errors),
            // What the key names cannot be told.
            None if options.was_given("batch") => key = None,
            None => {}
        }
        let ttl = storing.take_ttl(&options, EXAMPLE, errors);
        let policy = ttl.map(|ttl| Policy {
            ttl,
            none_ttl_ms: none_ttl,
            local_ttl_ms: local_ttl.map(|(ms, _)| ms),
            verify,
        });
        Self {
            batch,
            key,
            policy,
            storing,
            staleness,
            skip,
            cache,
            allow,
            runtime,
        }
    }
}

/// A share that is more than nothing.
fn share(value: &Expr) -> syn::Result<f64> {
    let share = match literal(value) {
        Some(Lit::Float(share)) => share.base10_parse().ok(),
        Some(Lit::Int(share)) => share.base10_parse().ok(),
        _ => None,
    };
    // The resolution is 2^-32.
    share
        .filter(|share| (1e-9..=1.0).contains(share))
        .ok_or_else(|| {
            syn::Error::new_spanned(
                value,
                "`verify` is the share of the hits that also run the body, to be compared with what it returns: more than 0, at most 1, \
                 as in `verify = 0.001`; to verify none, leave it out",
            )
        })
}

/// Reports what does not go together with `local_ttl`.
fn local_ttl_conflicts(ms: u64, value: &Expr, storing: &Storing, errors: &mut Errors) {
    if storing.fixed_ttl().is_some_and(|ttl| ms > ttl) {
        errors.push(syn::Error::new_spanned(
            value,
            "`local_ttl` is longer than `ttl`: a value is kept in this process for a part of its life, as in \
             `ttl = \"1h\", local_ttl = \"5s\"`",
        ));
    }
    if !storing.tags.is_empty() {
        errors.push(syn::Error::new_spanned(
            value,
            "`local_ttl` with `tags`: a value that is kept in this process is not told of its tags, and would outlive an \
             invalidation of one; keep one of the two",
        ));
    }
}

/// `skip(db, ctx)`; `None` if an entry was wrong, which is then reported.
fn skipped(
    name: &Ident,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> syn::Result<Option<Vec<Ident>>> {
    if is_assignment(input) || !input.peek(token::Paren) {
        let error = syn::Error::new(
            name.span(),
            "`skip` names arguments in parentheses: `skip(db, ctx)`",
        );
        return Err(error);
    }
    let content;
    parenthesized!(content in input);
    let before = errors.count();
    let mut skipped: Vec<Ident> = Vec::new();
    each(content.parse()?, errors, |input, errors| {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("`skip` names arguments, such as `skip(db, ctx)`"));
        }
        let argument = input.call(Ident::parse_any)?;
        if skipped.contains(&argument) {
            errors.at(
                argument.span(),
                format!("`{argument}` is skipped twice; keep one"),
            );
        } else {
            skipped.push(argument);
        }
        Ok(())
    });
    if errors.is_new_since(before) {
        return Ok(None);
    }
    if skipped.is_empty() {
        let error = "`skip` names no argument; remove it, or name one: `skip(db)`";
        return Err(syn::Error::new(name.span(), error));
    }
    Ok(Some(skipped))
}
