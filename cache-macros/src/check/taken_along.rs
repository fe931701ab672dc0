//! What a load takes along that outlives its call: the arguments that the call borrowed.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{FnArg, Ident, Pat, Receiver, ReceiverKind, Type, TypeReference, parse_quote_spanned};

use crate::errors::Errors;
use crate::function::{Body, Function, has_impl_trait};

/// One borrowed argument.
pub(crate) struct Taken {
    /// What the body calls it.
    pub(crate) name: Ident,
    /// What it is a reference to, if that can be written.
    pub(crate) to: Option<Type>,
    /// Where it stands.
    pub(crate) place: Span,
}

const INSTEAD: &str = "or let one caller refresh: `refresh = \"inline\"`";

/// What the body uses of the borrowed arguments. What it owns moves along.
pub(super) fn taken_along(function: &Function, body: &Body, errors: &mut Errors) -> Vec<Taken> {
    let stream = match body {
        Body::Async(body) => body.stream(),
        Body::Boxed(boxed) => boxed.stream(),
    };
    let receiver = function.receiver();
    let mut taken = Vec::new();
    for input in &function.sig.inputs {
        let (name, ty) = match input {
            FnArg::Receiver(given) => match &receiver {
                Some(receiver) => (receiver.clone(), type_of(given)),
                None => continue,
            },
            FnArg::Typed(argument) => match &*argument.pat {
                Pat::Ident(pattern) if !function.is_taken_apart(&pattern.ident) => {
                    (pattern.ident.clone(), (*argument.ty).clone())
                }
                pattern => {
                    if let Type::Reference(_) = &*argument.ty {
                        errors.under(
                            pattern,
                            format!(
                                "a refresh in the background outlives the call, and takes along what the call borrows, by its name: \
                                 give this argument one, and take it apart in the body; {INSTEAD}"
                            ),
                        );
                    } else {
                        owned(&argument.ty, "this argument", errors);
                    }
                    continue;
                }
            },
        };
        if !mentions(stream.clone(), &name.to_string()) {
            continue;
        }
        let what = match input {
            FnArg::Receiver(_) => "`self`".to_owned(),
            FnArg::Typed(_) => format!("`{name}`"),
        };
        match &ty {
            Type::Reference(TypeReference {
                mutability: Some(_),
                ..
            }) => errors.under(
                &ty,
                format!(
                    "{what} is borrowed mutably, and a refresh in the background outlives the call; share it behind an `Arc`, {INSTEAD}"
                ),
            ),
            Type::Reference(reference) => {
                if owned(&reference.elem, &what, errors) {
                    taken.push(Taken {
                        name,
                        to: (!has_impl_trait(&reference.elem)).then(|| (*reference.elem).clone()),
                        place: ty.span(),
                    });
                }
            }
            _ => {
                owned(&ty, &what, errors);
            }
        }
    }
    taken
}

/// The type of `self`.
fn type_of(receiver: &Receiver) -> Type {
    let at = receiver.self_token.span;
    match &receiver.kind {
        ReceiverKind::Typed(_, ty) => (**ty).clone(),
        ReceiverKind::Reference(_, _, mutability) => parse_quote_spanned!(at=> &#mutability Self),
        _ => parse_quote_spanned!(at=> Self),
    }
}

/// Whether a type certainly borrows nothing, as far as it can be seen; reported, if it borrows.
fn owned(ty: &Type, what: &str, errors: &mut Errors) -> bool {
    #[derive(Default)]
    struct Borrowed(Option<Span>);
    impl<'ast> Visit<'ast> for Borrowed {
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            let is_static = |lifetime: &syn::Lifetime| lifetime.ident == "static";
            if !reference.lifetime.as_ref().is_some_and(is_static) {
                self.0.get_or_insert(reference.and_token.span);
            }
            visit::visit_type_reference(self, reference);
        }
        fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
            if lifetime.ident != "static" {
                self.0.get_or_insert(lifetime.apostrophe);
            }
        }
    }
    let mut borrowed = Borrowed::default();
    borrowed.visit_type(ty);
    if let Some(place) = borrowed.0 {
        errors.at(
            place,
            format!(
                "{what} holds something borrowed, and a refresh in the background outlives the call; take an owned value \
                 (`String` for `&str`, `Vec<T>` for `&[T]`), {INSTEAD}"
            ),
        );
        return false;
    }
    true
}

/// Whether a name stands somewhere in a body; also in a literal, as in `format!("{name}")`.
fn mentions(body: TokenStream, name: &str) -> bool {
    body.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Literal(literal) => literal.to_string().contains(name),
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Punct(_) => false,
    })
}
