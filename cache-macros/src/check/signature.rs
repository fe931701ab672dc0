//! What a function must be for its body to be wrapped, and for its value to be stored.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    FnArg, GenericArgument, GenericParam, Ident, Lifetime, PathArguments, ReturnType, Signature,
    Type, TypePath, TypeReference,
};

use crate::args::identifiers;
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
pub(super) fn cacheable_return(function: &Function, or: &str, errors: &mut Errors) {
    if matches!(function.body, Err(Refusal::NotAsync))
        && matches!(function.sig.output, ReturnType::Default)
    {
        return;
    }
    if let (Ok(Body::Async(_)), ReturnType::Default) = (&function.body, &function.sig.output) {
        errors.at(
            function.sig.paren_token.span.close(),
            format!("this function returns nothing, so there is nothing to cache; give it a return type, or {or}"),
        );
        return;
    }
    let returned = function.returned();
    if let Some(unit) = unit_in(&returned) {
        errors.under(
            unit,
            format!("this function returns `()`, so there is nothing to cache; {or}"),
        );
    }
    if function.body.is_ok() {
        Borrows(errors).visit_type(&returned);
    }
}

/// The `()` that is all a function returns, by itself or as what its `Result` or `Option` holds.
fn unit_in(returned: &Type) -> Option<&Type> {
    match returned {
        Type::Tuple(tuple) if tuple.elems.is_empty() => Some(returned),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return None;
            };
            let holds = last.ident == "Result" || last.ident == "Option";
            match arguments.args.first()? {
                GenericArgument::Type(held) if holds => unit_in(held),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A type or const parameter that no argument and no value tells must be skipped: two calls could differ in it alone.
/// Returns what else is skipped.
pub(super) fn told_parameters(
    function: &Function,
    skip: Vec<Ident>,
    errors: &mut Errors,
) -> Vec<Ident> {
    let sig = &function.sig;
    let (of_types, others): (Vec<_>, Vec<_>) = skip.into_iter().partition(|name| {
        parameters(sig).any(|parameter| parameter == name) && !function.arguments().contains(name)
    });
    let in_arguments: Vec<Ident> = sig
        .inputs
        .iter()
        .filter_map(|input| match input {
            FnArg::Typed(argument) => Some(identifiers(&argument.ty)),
            FnArg::Receiver(_) => None,
        })
        .flatten()
        .collect();
    let mut in_value = BareTypes::default();
    in_value.visit_type(&function.returned());
    for parameter in parameters(sig) {
        let is_told = in_arguments.contains(parameter)
            || in_value.0.contains(parameter)
            || of_types.contains(parameter);
        if !is_told {
            errors.at(
                parameter.span(),
                format!(
                    "`{parameter}` is not in the key, and no argument tells it: two calls that differ only in `{parameter}` \
                     would share an entry: write one function for each, or `skip({parameter})` if it cannot change the result"
                ),
            );
        }
    }
    others
}

fn parameters(sig: &Signature) -> impl Iterator<Item = &Ident> {
    sig.generics
        .params
        .iter()
        .filter_map(|parameter| match parameter {
            GenericParam::Type(ty) => Some(&ty.ident),
            GenericParam::Const(constant) => Some(&constant.ident),
            GenericParam::Lifetime(_) => None,
        })
}

/// The types in a value that stand there by themselves: `T` in `Vec<T>`, but not in `<T as Table>::Row`, which may be one type
/// for several `T`.
#[derive(Default)]
struct BareTypes(Vec<Ident>);

impl<'ast> Visit<'ast> for BareTypes {
    fn visit_type_path(&mut self, ty: &'ast TypePath) {
        self.0.extend(ty.path.get_ident().cloned());
        visit::visit_path(self, &ty.path);
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
        // The whole reference is one mistake. A `'static` one cannot be read back from a store either.
        self.report(reference);
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
