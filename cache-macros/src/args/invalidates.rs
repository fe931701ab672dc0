//! `#[invalidates("user:<id>", UserKey { id }, crate = …)]`

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::{Expr, Ident, Path, Token};

use super::{KeyArg, Options, each, is_assignment, runtime_path, skip_value};
use crate::errors::Errors;

/// The arguments of `#[invalidates]`.
pub(crate) struct Invalidates {
    pub(crate) keys: Vec<KeyArg>,
    pub(crate) runtime: Option<Path>,
}

impl Invalidates {
    /// `arguments` are those of the function: a bare name that is none of them was meant to be an option.
    pub(crate) fn parse(tokens: TokenStream, arguments: &[Ident], errors: &mut Errors) -> Self {
        let mut options = Options::of(&["crate"]);
        let mut runtime = None;
        let mut keys = Vec::new();
        let before = errors.count();
        each(tokens, errors, |input, errors| {
            let is_bare_crate = input.peek(Token![crate]) && !input.peek2(Token![::]);
            if is_assignment(input) || is_bare_crate {
                let name = input.call(Ident::parse_any)?;
                if name == "key" {
                    errors.at(
                        name.span(),
                        "keys stand without a name here: `#[invalidates(\"user:<id>\")]`",
                    );
                    return skip_value(input);
                }
                if !options.admit(&name, errors) {
                    return skip_value(input);
                }
                runtime = Some(runtime_path(&name, input)?);
                return Ok(());
            }
            let key: Expr = input.parse()?;
            if let Some(word) = lone_word(&key).filter(|word| !arguments.contains(word)) {
                errors.at(word.span(), options.unknown(&word.to_string()));
                return Ok(());
            }
            keys.extend(KeyArg::of(key, errors));
            Ok(())
        });
        if keys.is_empty() && !errors.is_new_since(before) {
            errors.at(
                Span::call_site(),
                "no key to invalidate: name at least one, as in `#[invalidates(\"user:<id>\")]`",
            );
        }
        Self { keys, runtime }
    }
}

/// `fence`, but not `SETTINGS`, which is a constant.
fn lone_word(key: &Expr) -> Option<&Ident> {
    let Expr::Path(path) = key else { return None };
    path.path
        .get_ident()
        .filter(|name| *name != "self" && name.to_string().starts_with(char::is_lowercase))
}
