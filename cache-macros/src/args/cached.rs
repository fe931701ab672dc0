//! `#[cached(key = …, ttl = …, none_ttl = …, local_ttl = …, version = …, codec = …, skip(…), allow = …, crate = …)]`

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Expr, Ident, Lit, Path, Type, parenthesized, token};

use super::allow::{Findings, OF_CACHED};
use super::{KeyArg, Options, each, is_assignment, peek_template, runtime_path, skip_value, value};
use crate::durations::{literal, milliseconds};
use crate::errors::Errors;

const EXAMPLE: &str = "`#[cached(key = \"user:<id>\", ttl = \"5m\")]`";

/// The arguments of `#[cached]`. What is `None` was not given, or was wrong.
pub(crate) struct Cached {
    pub(crate) key: Option<KeyArg>,
    pub(crate) policy: Option<Policy>,
    pub(crate) codec: Option<Type>,
    pub(crate) skip: Option<Vec<Ident>>,
    pub(crate) allow: Findings,
    pub(crate) runtime: Option<Path>,
}

/// How long, and as what, values are stored.
pub(crate) struct Policy {
    pub(crate) ttl_ms: u64,
    pub(crate) none_ttl_ms: Option<u64>,
    pub(crate) local_ttl_ms: Option<u64>,
    pub(crate) version: Option<u32>,
}

impl Cached {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Options::of(&[
            "key",
            "ttl",
            "none_ttl",
            "local_ttl",
            "version",
            "codec",
            "skip",
            "allow",
            "crate",
        ]);
        let (mut key, mut ttl, mut none_ttl, mut local_ttl) = (None, None, None, None);
        let (mut version, mut codec, mut runtime) = (None, None, None);
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
            match name.to_string().as_str() {
                "key" => key = KeyArg::of(value(&name, input, "\"user:<id>\"")?, errors),
                "ttl" => ttl = Some(milliseconds("ttl", &value(&name, input, "\"5m\"")?)?),
                "none_ttl" => {
                    none_ttl = Some(milliseconds("none_ttl", &value(&name, input, "\"30s\"")?)?);
                }
                "local_ttl" => {
                    let value = value(&name, input, "\"5s\"")?;
                    local_ttl = Some((milliseconds("local_ttl", &value)?, value));
                }
                "version" => version = Some(version_of(&value(&name, input, "2")?)?),
                "codec" => codec = Some(codec_of(&name, input)?),
                "skip" => {
                    // If it cannot be read, it is not known what it leaves out.
                    skip = None;
                    skip = skipped(&name, input, errors)?;
                }
                "allow" => allow = Findings::parse(&name, input, OF_CACHED, errors)?,
                _ => runtime = Some(runtime_path(&name, input)?),
            }
            Ok(())
        });
        for (name, what) in [
            ("key", "what tells two calls apart"),
            ("ttl", "how long a value may live"),
        ] {
            if !options.was_given(name) {
                errors.at(
                    Span::call_site(),
                    format!("`{name}` is missing: {what}, as in {EXAMPLE}"),
                );
            }
        }
        if let (Some(ttl), Some((local_ttl, value))) = (ttl, &local_ttl)
            && *local_ttl > ttl
        {
            errors.push(syn::Error::new_spanned(
                value,
                "`local_ttl` is longer than `ttl`: a value is kept in this process for a part of its life, as in \
                 `ttl = \"1h\", local_ttl = \"5s\"`",
            ));
        }
        let policy = ttl.map(|ttl_ms| Policy {
            ttl_ms,
            none_ttl_ms: none_ttl,
            local_ttl_ms: local_ttl.map(|(ms, _)| ms),
            version,
        });
        Self {
            key,
            policy,
            codec,
            skip,
            allow,
            runtime,
        }
    }
}

/// The type after `codec =`.
fn codec_of(name: &Ident, input: ParseStream<'_>) -> syn::Result<Type> {
    if input.peek2(Lit) {
        let literal: Lit = value(name, input, "Json")?;
        let error = "`codec` is a type that implements `cache_runtime::Codec`, without quotes: `codec = Json`";
        return Err(syn::Error::new(literal.span(), error));
    }
    value(name, input, "Json")
}

fn version_of(value: &Expr) -> syn::Result<u32> {
    match literal(value) {
        Some(Lit::Int(number)) if matches!(number.suffix(), "" | "u32") => {
            number.base10_parse().ok()
        }
        _ => None,
    }
    .ok_or_else(|| {
        syn::Error::new_spanned(
            value,
            format!(
                "`version` is a number from 0 to {}, written as a literal",
                u32::MAX
            ),
        )
    })
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
