//! `#[invalidates]`

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::site::Site;
use super::{effects, given, local, shape, write, write_part, writing};
use crate::args::invalidates::OnError;
use crate::check::{Invalidates, Key, Resolved};

// Input:
//     async fn rename_user(&self, id: u64) -> R { body }
//
// Output:
//     async fn rename_user(&self, id: u64) -> R {
//         let mut effects = effects({ static SITE: CallSite = …; &SITE });
//         effects.key(|writer| { writer.literal("user:"); writer.part(&id); });
//         invalidated(&mut effects, pin!(async move { body })).await
//     }
//
// with `effects.fence();` before the body where there is a `fence` (which also needs to know if the body failed), and `invalidated_or_fail` for `on_error = "fail"`,
//
// and where a key has a `<return…>` in it:
//         let part_0 = rendered(|writer| writer.part(&tenant));
//         invalidated_by_return(&mut effects, shape, pin!(async move { body }), |returned, effects| {
//             effects.key(|writer| { writer.literal(&part_0); writer.literal(":"); writer.part(&returned.id); });
//         }).await
pub(crate) fn expand(plan: &Invalidates<'_>) -> TokenStream {
    let here = Span::mixed_site();
    let Invalidates {
        function,
        body,
        keys,
        tags,
        patterns,
        is_fenced,
        on_error,
        cache,
        allow,
        runtime,
    } = plan;
    let site = Site {
        runtime,
        function,
        effect: quote_spanned!(here=> #runtime::Effect::Invalidates),
        keys,
        patterns,
        tags,
        value: None,
        is_batch: false,
        allow,
    };
    let effects = effects(cache.as_ref(), &site, function, runtime);
    let mut before = quote_spanned! {here=>
        #[allow(unused_mut)]
        let mut effects = #effects;
    };
    let mut by_return = Vec::new();
    let mut parts = 0..;
    for key in keys {
        match key {
            Key::Template(template) if template.needs_return() => {
                let (rendered, write) = after_return(template, "key", runtime, &mut parts);
                before.extend(rendered);
                by_return.push(write);
            }
            Key::Template(template) => {
                before.extend(adding("key", template));
            }
            Key::Typed(key) => {
                let at_key = key.span().resolved_at(here);
                let key = given(key, function);
                before.extend(quote_spanned!(at_key=> effects.typed(&(#key));));
            }
        }
    }
    let tags = tags.iter().map(|tag| ("tag", tag));
    let patterns = patterns.iter().map(|pattern| ("pattern", pattern));
    for (add, template) in tags.chain(patterns) {
        if template.needs_return() {
            let (rendered, write) = after_return(template, add, runtime, &mut parts);
            before.extend(rendered);
            by_return.push(write);
        } else {
            before.extend(adding(add, template));
        }
    }
    if *is_fenced {
        before.extend(quote_spanned!(here=> effects.fence();));
    }
    // A function that cannot fail in this way has a return type that cannot: the place for that error.
    let at = match on_error {
        OnError::Proceed => here,
        OnError::Fail => function.returned().span().resolved_at(here),
    };
    let (run, run_by_return) = match on_error {
        OnError::Proceed => (
            quote_spanned!(here=> invalidated),
            quote_spanned!(here=> invalidated_by_return),
        ),
        OnError::Fail => (
            quote_spanned!(at=> invalidated_or_fail),
            quote_spanned!(at=> invalidated_or_fail_by_return),
        ),
    };
    function.wrap(body, &before, |body| {
        if by_return.is_empty() && !(*is_fenced && *on_error == OnError::Proceed) {
            let runtime = super::respanned(runtime, at);
            return quote_spanned!(at=> #runtime::#run(&mut effects, ::core::pin::pin!(#body)).await);
        }
        let returned = function.returned();
        let shape = shape(runtime, &returned);
        quote_spanned! {here=>
            #runtime::#run_by_return(&mut effects, #shape, ::core::pin::pin!(#body), move |returned, effects| {
                #(#by_return)*
            }).await
        }
    })
}

/// `effects.key(|writer| { … });`, for each item where there are several.
fn adding(add: &str, template: &Resolved) -> TokenStream {
    let here = Span::mixed_site();
    let (add, writing) = (local(add), writing(template));
    let adding = quote_spanned!(here=> effects.#add(#writing););
    match &template.for_each {
        Some(items) => quote_spanned!(here=> for #items in #items.iter() { #adding }),
        None => adding,
    }
}

/// What to do before the body, and what after it. Parts that are known before are rendered before, because the
/// body may consume the arguments that they are made of.
fn after_return(
    template: &Resolved,
    add: &str,
    runtime: &TokenStream,
    parts: &mut impl Iterator<Item = usize>,
) -> (TokenStream, TokenStream) {
    let here = Span::mixed_site();
    let literal = template.literal.span().resolved_at(here);
    let writer = local("writer");
    let mut before = TokenStream::new();
    let steps = write(template, &writer, &local("returned"), |value, ending| {
        let part = format_ident!("part_{}", parts.next()?, span = here);
        let value = quote_spanned!(literal=> &#value);
        let write = write_part(&writer, &value, ending, literal);
        before.extend(quote_spanned!(here=> let #part = #runtime::rendered(|#writer| { #write });));
        Some(part)
    });
    let add = local(add);
    let after = quote_spanned!(here=> effects.#add(|#writer| { #steps }););
    (before, quote!(#after))
}
