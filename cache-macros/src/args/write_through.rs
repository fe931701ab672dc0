//! `#[write_through(key = …, ttl = …, ttl_by = …, when = …, value = …, version = …, codec = …, crate = …)]`

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::{Expr, Ident, Path};

use super::allow::{Findings, OF_CACHED};
use super::storing::{Storing, Ttl, function_of};
use super::{KeyArg, Options, cache_of, each, peek_template, runtime_path, skip_value, value};
use crate::errors::Errors;

const EXAMPLE: &str = "`#[write_through(key = \"settings:<id>\", ttl = \"10m\")]`";

/// The arguments of `#[write_through]`. What is `None` was not given, or was wrong.
pub(crate) struct WriteThrough {
    pub(crate) key: Option<KeyArg>,
    pub(crate) ttl: Option<Ttl>,
    pub(crate) storing: Storing,
    /// What is stored, made of what was returned.
    pub(crate) value: Option<Expr>,
    pub(crate) cache: Option<Expr>,
    pub(crate) allow: Findings,
    pub(crate) runtime: Option<Path>,
}

impl WriteThrough {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Options::of(&[
            "key", "ttl", "ttl_by", "when", "value", "version", "codec", "tags", "cache", "allow",
            "crate",
        ]);
        let (mut key, mut stored, mut cache, mut runtime) = (None, None, None, None);
        let mut storing = Storing::default();
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
            if storing.read(&name, input, errors)? {
                return Ok(());
            }
            match name.to_string().as_str() {
                "key" => key = KeyArg::of(value(&name, input, "\"settings:<id>\"")?, errors),
                "value" => stored = Some(function_of(&name, input, "|order| order.summary()")?),
                "allow" => allow = Findings::parse(&name, input, OF_CACHED, errors)?,
                "cache" => cache = Some(cache_of(&name, input)?),
                _ => runtime = Some(runtime_path(&name, input)?),
            }
            Ok(())
        });
        if !options.was_given("key") {
            errors.at(
                Span::call_site(),
                format!("`key` is missing: what the function writes, as in {EXAMPLE}"),
            );
        }
        let ttl = storing.take_ttl(&options, EXAMPLE, errors);
        Self {
            key,
            ttl,
            storing,
            value: stored,
            cache,
            allow,
            runtime,
        }
    }
}
