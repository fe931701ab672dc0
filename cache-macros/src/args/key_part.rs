//! `#[key_part(crate = …)]`

use syn::ext::IdentExt as _;
use syn::{DeriveInput, Ident, Path};

use super::cache_key::helpers;
use super::{Options, each, runtime_path, skip_value};
use crate::errors::Errors;

/// The arguments of `#[derive(KeyPart)]`.
pub(crate) struct KeyPart {
    pub(crate) runtime: Option<Path>,
}

impl KeyPart {
    pub(crate) fn parse(input: &DeriveInput, errors: &mut Errors) -> Self {
        let mut options = Options::of(&["crate"]);
        let mut runtime = None;
        for tokens in helpers(input, "key_part", errors) {
            each(tokens, errors, |input, errors| {
                if !input.peek(Ident::peek_any) {
                    return Err(
                        input.error("expected an option: `crate = path::to::cache_runtime`")
                    );
                }
                let name = input.call(Ident::parse_any)?;
                if !options.admit(&name, errors) {
                    return skip_value(input);
                }
                runtime = Some(runtime_path(&name, input)?);
                Ok(())
            });
        }
        Self { runtime }
    }
}
