//! What a function must be for its body to be wrapped, and for its value to be stored.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Lifetime, ReturnType, Type, TypeReference};

use crate::errors::Errors;
use crate::function::{Body, Function, Refusal};

/// The body, if this is a function that can be wrapped.
pub(super) fn wrappable<'a>(
    function: &'a Function,
    attribute: &str,
    errors: &mut Errors,
) -> Option<&'a Body> {
    let sig = &function.sig;
    let before = errors.count();
    if let Some(constness) = sig.constness {
        errors.at(
            constness.span,
            format!("a `const fn` cannot be `#[{attribute}]`; make it an `async fn`"),
        );
    }
    if let Some(abi) = &sig.abi {
        errors.under(
            abi,
            format!("an `extern` function cannot be `#[{attribute}]`: its callers cannot await it"),
        );
    }
    if errors.is_new_since(before) {
        return None;
    }
    match &function.body {
        Ok(body) => Some(body),
        Err(Refusal::NotAsync) => {
            errors.at(
                sig.fn_token.span,
                format!(
                    "`#[{attribute}]` goes on an async function: make it `async fn {}`",
                    sig.ident
                ),
            );
            None
        }
        Err(Refusal::OpaqueBox) => {
            errors.at(
                sig.fn_token.span,
                format!(
                    "`#[{attribute}]` cannot see into this body: make it `async fn {}`, or let the body be \
                     `Box::pin(async move {{ … }})` and nothing else",
                    sig.ident
                ),
            );
            None
        }
    }
}

/// What a cached function returns must be there, have a name, and borrow nothing.
pub(super) fn cacheable_return(function: &Function, errors: &mut Errors) {
    if matches!(function.body, Err(Refusal::NotAsync))
        && matches!(function.sig.output, ReturnType::Default)
    {
        return;
    }
    if let (Ok(Body::Async(_)), ReturnType::Default) = (&function.body, &function.sig.output) {
        errors.at(
            function.sig.paren_token.span.close(),
            "this function returns nothing, so there is nothing to cache; give it a return type, or remove `#[cached]`",
        );
        return;
    }
    let returned = function.returned();
    if matches!(&returned, Type::Tuple(tuple) if tuple.elems.is_empty()) {
        errors.under(
            &returned,
            "this function returns `()`, so there is nothing to cache; remove `#[cached]`",
        );
    }
    if function.body.is_ok() {
        Borrows(errors).visit_type(&returned);
    }
}

struct Borrows<'e>(&'e mut Errors);

impl Borrows<'_> {
    fn report(&mut self, tokens: impl ToTokens) {
        self.0.under(
            tokens,
            "the return type borrows, but a cached value outlives the call; return an owned type (`String`, `Vec<T>`, `Arc<T>`)",
        );
    }
}

impl<'ast> Visit<'ast> for Borrows<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        match &reference.lifetime {
            Some(lifetime) if lifetime.ident == "static" => {
                visit::visit_type(self, &reference.elem);
            }
            // The whole reference is one mistake.
            _ => self.report(reference),
        }
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.report(lifetime);
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
        self.0.under(
            ty,
            "a cached value needs a type that can be stored; name it instead of `impl Trait`",
        );
    }
}
