//! `#[cache_key("user:<id>", value = User, crate = …)]`

use proc_macro2::TokenStream;
use syn::ext::IdentExt as _;
use syn::{DeriveInput, Expr, Ident, LitStr, Meta, Path, Type};

use super::{Options, each, is_assignment, runtime_path, skip_value, value};
use crate::errors::Errors;
use crate::template::Template;

/// The arguments of `#[derive(CacheKey)]`.
pub(crate) struct CacheKey {
    /// `None` if it was not given, or was wrong.
    pub(crate) template: Option<Template>,
    pub(crate) value: Option<Type>,
    pub(crate) runtime: Option<Path>,
}

impl CacheKey {
    pub(crate) fn parse(input: &DeriveInput, errors: &mut Errors) -> Self {
        let mut options = Options::of(&["value", "crate"]);
        let mut given = false;
        let mut parsed = Self {
            template: None,
            value: None,
            runtime: None,
        };
        for tokens in helpers(input, "cache_key", errors) {
            each(tokens, errors, |input, errors| {
                if input.peek(LitStr) {
                    let literal: LitStr = input.parse()?;
                    if given {
                        errors.at(literal.span(), "a key has one template; remove this one");
                    } else {
                        given = true;
                        parsed.template = Template::parse(&literal, errors);
                    }
                    return Ok(());
                }
                let is_bare_option = input
                    .fork()
                    .call(Ident::parse_any)
                    .is_ok_and(|name| name == "value" || name == "crate");
                if !is_assignment(input) && !is_bare_option {
                    let found: Expr = input.parse()?;
                    return Err(syn::Error::new_spanned(
                        found,
                        "expected the template or an option, as in `#[cache_key(\"user:<id>\", value = User)]`",
                    ));
                }
                let name = input.call(Ident::parse_any)?;
                if !options.admit(&name, errors) {
                    return skip_value(input);
                }
                if name == "value" {
                    parsed.value = Some(value(&name, input, "User")?);
                } else {
                    parsed.runtime = Some(runtime_path(&name, input)?);
                }
                Ok(())
            });
        }
        if !given && !errors.is_new_since(0) {
            errors.at(
                input.ident.span(),
                format!(
                    "the key template of `{}` is missing: put `#[cache_key(\"user:<id>\")]` under the derive",
                    input.ident
                ),
            );
        }
        parsed
    }
}

/// What stands in the parentheses of each `#[name(…)]`.
pub(super) fn helpers(input: &DeriveInput, name: &str, errors: &mut Errors) -> Vec<TokenStream> {
    let mut found = Vec::new();
    for attribute in input
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident(name))
    {
        match &attribute.meta {
            Meta::List(arguments) => found.push(arguments.tokens.clone()),
            other => errors.under(
                other,
                format!("`{name}` has arguments in parentheses: `#[{name}(…)]`"),
            ),
        }
    }
    found
}
