//! `allow = "never_invalidated"`, `allow = ["different_ttls", "never_invalidated"]`: findings of the audit that are meant.

use syn::parse::ParseStream;
use syn::{Expr, Ident, Lit, LitStr};

use super::value;
use crate::durations::literal;
use crate::errors::{Errors, list, meant};

/// The findings that there can be about one kind of function: what each is called, and its variant of `FindingKind`.
pub(super) type Known = &'static [(&'static str, &'static str)];

/// About a function that puts values under its keys.
pub(super) const OF_CACHED: Known = &[
    ("never_invalidated", "NeverInvalidated"),
    ("overlapping_templates", "OverlappingTemplates"),
    ("different_value_types", "DifferentValueTypes"),
    ("different_ttls", "DifferentTtls"),
];

/// About a function that drops what is under its keys.
pub(super) const OF_INVALIDATES: Known = &[("unmatched_invalidation", "UnmatchedInvalidation")];

/// Variants of `FindingKind`.
#[derive(Default)]
pub(crate) struct Findings(pub(crate) Vec<Ident>);

impl Findings {
    pub(super) fn parse(
        name: &Ident,
        input: ParseStream<'_>,
        known: Known,
        errors: &mut Errors,
    ) -> syn::Result<Self> {
        let example = format!("\"{}\"", known.first().map_or("…", |(name, _)| name));
        let given: Expr = value(name, input, &example)?;
        let named: Option<Vec<&LitStr>> = match &given {
            Expr::Array(several) => several.elems.iter().map(text).collect(),
            one => text(one).map(|one| vec![one]),
        };
        let Some(named) = named.filter(|named| !named.is_empty()) else {
            return Err(syn::Error::new_spanned(
                given,
                format!("`allow` names findings in quotes: `allow = {example}`"),
            ));
        };
        let mut found: Vec<Ident> = Vec::new();
        for name in named {
            let text = name.value();
            let Some((_, variant)) = known.iter().find(|(name, _)| *name == text) else {
                errors.at(name.span(), unknown(&text, known));
                continue;
            };
            let variant = Ident::new(variant, name.span());
            if found.contains(&variant) {
                errors.at(name.span(), format!("`{text}` is allowed twice; keep one"));
            } else {
                found.push(variant);
            }
        }
        Ok(Self(found))
    }
}

fn text(value: &Expr) -> Option<&LitStr> {
    match literal(value) {
        Some(Lit::Str(text)) => Some(text),
        _ => None,
    }
}

fn unknown(name: &str, known: Known) -> String {
    let names = known.iter().map(|(name, _)| *name);
    let hint = meant(name, names.clone())
        .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
    let known = if known.len() == 1 {
        format!("the only one is {}", list(names))
    } else {
        format!("there are {}", list(names))
    };
    format!("`{name}` is no finding about this function{hint} ({known})")
}
