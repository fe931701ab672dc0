//! The attribute macros of `cache-runtime`.

mod args;
mod check;
mod durations;
mod errors;
mod expand;
mod function;
mod template;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use quote::{ToTokens as _, quote};
use syn::{DeriveInput, parse_macro_input};

use crate::errors::Errors;
use crate::function::Function;

/// TODO docs
#[proc_macro_attribute]
pub fn cached(arguments: TokenStream, item: TokenStream) -> TokenStream {
    on_function(item, |function, errors| {
        let args = args::cached::Cached::parse(arguments.into(), errors);
        let plan = check::cached(args, function, errors)?;
        Some(expand::cached::expand(&plan))
    })
}

/// TODO docs
#[proc_macro_attribute]
pub fn invalidates(arguments: TokenStream, item: TokenStream) -> TokenStream {
    on_function(item, |function, errors| {
        let args = args::invalidates::Invalidates::parse(arguments.into(), &function.arguments(), errors);
        let plan = check::invalidates(args, function, errors)?;
        Some(expand::invalidates::expand(&plan))
    })
}

/// TODO docs
#[proc_macro_derive(CacheKey, attributes(cache_key))]
pub fn cache_key(item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as DeriveInput);
    let mut errors = Errors::default();
    let args = args::cache_key::CacheKey::parse(&input, &mut errors);
    let stand_in = expand::cache_key::stand_in(&input, &check::runtime(args.runtime.clone()));
    let plan = check::cache_key(args, &input, &mut errors);
    report(errors, plan.map(|plan| expand::cache_key::expand(&plan)), &stand_in)
}

/// TODO docs
#[proc_macro_derive(KeyPart, attributes(key_part))]
pub fn key_part(item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as DeriveInput);
    let mut errors = Errors::default();
    let args = args::key_part::KeyPart::parse(&input, &mut errors);
    let stand_in = expand::key_part::stand_in(&input, &check::runtime(args.runtime.clone()));
    let plan = check::key_part(args, &input, &mut errors);
    report(errors, plan.map(|plan| expand::key_part::expand(&plan)), &stand_in)
}

/// Runs one attribute on its function. If anything is wrong, the function is left as it was.
fn on_function(
    item: TokenStream,
    expand: impl FnOnce(&Function, &mut Errors) -> Option<TokenStream2>,
) -> TokenStream {
    let mut errors = Errors::default();
    let function = errors.take(syn::parse(item.clone()));
    let expanded = function.and_then(|function| expand(&function, &mut errors));
    report(errors, expanded, &item.into())
}

/// `expanded`, or else all errors and, so that one mistake is one error, what stands in for it.
fn report(errors: Errors, expanded: Option<TokenStream2>, stand_in: &TokenStream2) -> TokenStream {
    match (errors.finish(), expanded) {
        (Ok(()), Some(expanded)) => expanded.into(),
        (Ok(()), None) => quote!(#stand_in ::core::compile_error!("cache-macros refused this without a reason; please report it");).into_token_stream().into(),
        (Err(errors), _) => quote!(#stand_in #errors).into(),
    }
}
