//! `batch` and `batch(id in ids)`: a function that answers for several keys at a time.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Ident, Token, parenthesized, token};

use super::Options;
use super::staleness::Staleness;
use crate::errors::Errors;

/// The option `batch`.
pub(crate) struct Batch {
    pub(crate) place: Span,
    /// What one of the argument's items is called in the key, and the argument, where that is said.
    pub(crate) item_in: Option<(Ident, Ident)>,
}

impl Batch {
    pub(super) fn parse(name: &Ident, input: ParseStream<'_>) -> syn::Result<Self> {
        let wrong = || {
            syn::Error::new(
                name.span(),
                "`batch` stands alone, or says which argument holds the keys, and what one of them is called: `batch(id in ids)`",
            )
        };
        let mut batch = Self {
            place: name.span(),
            item_in: None,
        };
        if input.peek(token::Paren) {
            let content;
            parenthesized!(content in input);
            let item = content.call(Ident::parse_any).map_err(|_| wrong())?;
            content.parse::<Token![in]>().map_err(|_| wrong())?;
            let ids = content.call(Ident::parse_any).map_err(|_| wrong())?;
            if !content.is_empty() {
                return Err(wrong());
            }
            batch.item_in = Some((item, ids));
        } else if !input.is_empty() && !input.peek(Token![,]) {
            return Err(wrong());
        }
        Ok(batch)
    }

    /// Reports what does not go together with it.
    pub(super) fn conflicts(&self, staleness: &Staleness, options: &Options, errors: &mut Errors) {
        const OPTIONS: &[&str] = &[
            "stale_while_revalidate",
            "stale_if_error",
            "refresh_ahead",
            "timeout",
            "refresh",
        ];
        if options.was_given("verify") {
            errors.at(
                self.place,
                "`batch` with `verify`: to verify a hit is to load one key by itself, and this function loads many; put the option on the \
                 function that loads one, which shares the entries",
            );
        }
        if !staleness.is_any() {
            return;
        }
        let given = OPTIONS.iter().find(|option| options.was_given(option));
        errors.at(
            self.place,
            format!(
                "`batch` with `{}`: to refresh is to load one key by itself, and this function loads many; put the option on the \
                 function that loads one, which shares the entries: here they are used until the end of their TTL",
                given.unwrap_or(&"stale_while_revalidate")
            ),
        );
    }
}
