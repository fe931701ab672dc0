//! What `#[cached]` and `#[write_through]` say alike: what is stored, for how long, and as what.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Expr, Ident, Lit, Type};

use super::{Options, value};
use crate::durations::{literal, milliseconds};
use crate::errors::Errors;
use crate::template::Template;

/// The options about what is stored. What is `None` was not given, or was wrong.
#[derive(Default)]
pub(crate) struct Storing {
    ttl: Option<Ttl>,
    ttl_by: Option<Expr>,
    pub(crate) when: Option<Expr>,
    pub(crate) version: Option<u32>,
    pub(crate) codec: Option<Type>,
    pub(crate) tags: Vec<Template>,
}

/// How long a value lives.
pub(crate) enum Ttl {
    /// As long as any other, in milliseconds.
    Fixed(u64),
    /// As the arguments of its call say: an expression.
    OfCall(Expr),
    /// As it says itself: a function of the value.
    OfValue(Expr),
}

impl Storing {
    /// Reads one of its options; `false` if it is none of them.
    pub(crate) fn read(
        &mut self,
        name: &Ident,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> syn::Result<bool> {
        match name.to_string().as_str() {
            "ttl" => self.ttl = Some(ttl_of(value(name, input, "\"5m\"")?)?),
            "ttl_by" => {
                self.ttl_by = Some(function_of(name, input, "|user| user.lives_for()")?);
            }
            "when" => self.when = Some(function_of(name, input, "|user| user.is_active")?),
            "version" => self.version = Some(version_of(&value(name, input, "2")?)?),
            "codec" => self.codec = Some(codec_of(name, input)?),
            "tags" => self.tags = tags_of(name, input, errors)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How long a value lives, in milliseconds, if all live alike.
    pub(crate) fn fixed_ttl(&self) -> Option<u64> {
        match self.ttl {
            Some(Ttl::Fixed(ms)) => Some(ms),
            _ => None,
        }
    }

    /// How long a value lives. `None` if that was not said, or not well, which is then reported.
    pub(crate) fn take_ttl(
        &mut self,
        options: &Options,
        example: &str,
        errors: &mut Errors,
    ) -> Option<Ttl> {
        match (self.ttl.take(), self.ttl_by.take()) {
            (Some(_), Some(by)) => {
                errors.push(syn::Error::new_spanned(
                    by,
                    "`ttl_by` says how long each value lives, and so does `ttl`; keep one",
                ));
                None
            }
            (None, Some(by)) => Some(Ttl::OfValue(by)),
            (Some(ttl), None) => Some(ttl),
            (None, None) => {
                if !options.was_given("ttl") && !options.was_given("ttl_by") {
                    errors.at(
                        Span::call_site(),
                        format!("`ttl` is missing: how long a value may live, as in {example}"),
                    );
                }
                None
            }
        }
    }
}

/// A duration written as a literal, or else an expression.
fn ttl_of(value: Expr) -> syn::Result<Ttl> {
    let is_literal = literal(&value).is_some()
        || matches!(&value, Expr::Unary(negated) if literal(&negated.expr).is_some());
    if is_literal {
        milliseconds("ttl", &value).map(Ttl::Fixed)
    } else {
        Ok(Ttl::OfCall(value))
    }
}

/// The closure, or the path of a function, after `name =`.
pub(super) fn function_of(
    name: &Ident,
    input: ParseStream<'_>,
    example: &str,
) -> syn::Result<Expr> {
    let function: Expr = value(name, input, example)?;
    if literal(&function).is_some() {
        return Err(syn::Error::new_spanned(
            function,
            format!(
                "`{name}` is a function, such as a closure, and no literal: `{name} = {example}`"
            ),
        ));
    }
    Ok(function)
}

/// The templates after `tags =`.
fn tags_of(
    name: &Ident,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> syn::Result<Vec<Template>> {
    let example = "[\"user:<id>\", \"tenant:<tenant>\"]";
    let listed: Expr = value(name, input, example)?;
    let wrong = |at: &Expr| {
        syn::Error::new_spanned(
            at,
            format!("`tags` are templates in brackets: `tags = {example}`"),
        )
    };
    let Expr::Array(listed) = listed else {
        return Err(wrong(&listed));
    };
    if listed.elems.is_empty() {
        return Err(syn::Error::new_spanned(
            &listed,
            "`tags` names no tag; remove it, or name one: `tags = [\"user:<id>\"]`",
        ));
    }
    let mut tags = Vec::new();
    for tag in &listed.elems {
        match literal(tag) {
            Some(Lit::Str(text)) => tags.extend(Template::parse(text, errors)),
            _ => return Err(wrong(tag)),
        }
    }
    Ok(tags)
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
