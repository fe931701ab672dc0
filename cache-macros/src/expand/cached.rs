//! `#[cached]`

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned as _;
use syn::{Ident, Type};

use super::site::Site;
use super::taken_along::owning;
use super::{codec, given, local, policy_of, selection, shape, write, writing};
use crate::args::storing::{Storing, Ttl};
use crate::check::{Cached, Key};

// Input:
//     async fn find_user(&self, id: u64) -> R { body }
//
// Output:
//     async fn find_user(&self, id: u64) -> R {
//         let site = { static SITE: CallSite = …; &SITE };
//         let shape = …;
//         let sharing = …;
//         let call = begin(site, &shape, |writer| { writer.literal("user:"); writer.part(&id); });
//         let body = pin!(async move { body });
//         match call {
//             Begun::Plain => body.await,
//             Begun::Hit(value) => value,
//             Begun::Cached(call) => cached::<_, _, _, MessagePack>(call, shape, sharing, body).await,
//         }
//     }
pub(crate) fn expand(plan: &Cached<'_>) -> TokenStream {
    let here = Span::mixed_site();
    let Cached {
        function,
        body,
        batch,
        key,
        policy,
        storing,
        staleness,
        taken_along,
        tags,
        allow,
        runtime,
        ..
    } = plan;
    let returned = function.returned();
    let site = Site {
        runtime,
        function,
        effect: caches(plan),
        keys: std::slice::from_ref(key),
        patterns: &[],
        tags,
        value: Some(&returned),
        is_batch: batch.is_some(),
        allow,
    };
    let shape = shape(runtime, &returned);
    // A value that cannot be stored is an error of both calls, of the future and of the `await`. The compiler reports
    // it once if all these are at one place, and the return type is the place for it.
    let at_return = returned.span().resolved_at(here);
    let (handle, begin) = begin(plan, &returned, at_return);
    let given = batch.as_ref().map(super::batch::given);
    let before = quote_spanned! {here=>
        let site: &'static #runtime::CallSite = #site;
        let shape = #shape;
        let sharing = {
            #[allow(unused_imports)]
            use #runtime::{ViaClone as _, ViaNothing as _};
            (&&#runtime::error_probe::<#returned, _>(&shape)).sharing()
        };
        #handle
        #given
        let call = #begin;
    };
    let selection = selection(storing, &policy.ttl, function);
    if let Some(batch) = batch {
        return function.wrap_block(body, &before, |body| {
            super::batch::expand(batch, plan, &returned, &selection, &body)
        });
    }
    let (owned, body) = owning(taken_along.as_deref().unwrap_or_default(), body, runtime);
    function.wrap(&body, &before, |body| {
        let runtime = super::respanned(runtime, at_return);
        // Likewise a codec that is none, at the place where it is named.
        let (at, codec) = (codec_span(storing).unwrap_or(at_return), codec(storing.codec.as_ref(), &runtime, at_return));
        let at_codec = super::respanned(&runtime, at);
        if staleness.is_any() {
            let calls = super::staleness::Calls {
                plan,
                returned: &returned,
                selection: &selection,
                codec: &codec,
                runtime: &at_codec,
                at: at_return,
            };
            return calls.expand(&owned, &body);
        }
        let cached = if selection.is_empty() && tags.is_empty() {
            quote_spanned!(at=> #at_codec::cached::<_, _, _, #codec>(call, shape, sharing, body).await)
        } else {
            let cached = local(if tags.is_empty() {
                "cached_by"
            } else {
                "cached_with_tags"
            });
            quote_spanned! {at=> {
                let storing = #runtime::every::<#returned, _>(&shape) #selection;
                #at_codec::#cached::<_, _, _, #codec>(call, shape, sharing, storing, body).await
            }}
        };
        quote_spanned! {at_return=>
            let body = ::core::pin::pin!(#body);
            match call {
                #runtime::Begun::Plain => body.await,
                #runtime::Begun::Hit(value) => value,
                #runtime::Begun::Cached(call) => #cached,
            }
        }
    })
}

/// `begin(…)`, and the statement in front of it, if it needs one.
fn begin(
    plan: &Cached<'_>,
    returned: &Type,
    at_return: Span,
) -> (Option<TokenStream>, TokenStream) {
    let here = Span::mixed_site();
    let Cached {
        function,
        batch,
        key,
        policy,
        tags,
        cache,
        runtime,
        ..
    } = plan;
    let item = batch.as_ref().map(|batch| &batch.item);
    let of_item = item.map(|item| quote_spanned!(here=> #item,));
    let tagged = (!tags.is_empty()).then(|| {
        let tags = tags.iter().map(writing);
        // A tag need not name the key of a batch.
        let of_item = item.map(|item| quote_spanned!(here=> #[allow(unused_variables)] #item,));
        quote_spanned!(here=> .tagged(|#of_item call| { #(call.tag(#tags);)* }))
    });
    let writing = match key {
        Key::Template(template) => {
            let writer = local("writer");
            let steps = write(template, &writer, &local("returned"), |_, _| None);
            quote_spanned!(here=> |#of_item #writer| { #steps })
        }
        Key::Typed(key) => {
            let at_key = key.span().resolved_at(here);
            let key = given(key, function);
            match item {
                None => {
                    quote_spanned!(at_key=> |writer| #runtime::write_typed::<#returned, _, _>(&shape, &#key, writer))
                }
                Some(item) => quote_spanned! {at_key=> |#item, writer| {
                    #[allow(clippy::clone_on_copy)]
                    let #item = ::core::clone::Clone::clone(#item);
                    #runtime::write_typed_entry::<#returned, _, _>(&shape, &#key, writer)
                }},
            }
        }
    };
    let (begin, begin_on, ids) = match batch {
        None => ("begin", "begin_on", None),
        Some(_) => (
            "begin_batch",
            "begin_batch_on",
            Some(quote_spanned!(here=> given,)),
        ),
    };
    let [begin, begin_on] = [begin, begin_on].map(|name| Ident::new(name, at_return));
    let of = batch
        .as_ref()
        .map(|_| quote_spanned!(at_return=> ::<#returned, _>));
    let (handle, begin) = {
        let at = super::respanned(runtime, at_return);
        match cache {
            None => (
                None,
                quote_spanned!(at_return=> #at::#begin #of(site, &shape, #ids #writing)),
            ),
            Some(cache) => {
                let at_cache = cache.span().resolved_at(here);
                let cache = given(cache, function);
                (
                    Some(quote_spanned!(at_cache=> let cache = #runtime::handle(&(#cache));)),
                    quote_spanned!(at_return=> #at::#begin_on #of(&cache, site, &shape, #ids #writing)),
                )
            }
        }
    };
    let living = match &policy.ttl {
        Ttl::OfCall(ttl) => {
            let at_ttl = ttl.span().resolved_at(here);
            let ttl = given(ttl, function);
            Some(quote_spanned!(at_ttl=> .living(|| #ttl)))
        }
        Ttl::Fixed(_) | Ttl::OfValue(_) => None,
    };
    (handle, quote_spanned!(here=> #begin #living #tagged))
}

pub(super) fn codec_span(storing: &Storing) -> Option<Span> {
    let codec = storing.codec.as_ref()?;
    Some(codec.span().resolved_at(Span::mixed_site()))
}

fn caches(plan: &Cached<'_>) -> TokenStream {
    let here = Span::mixed_site();
    let Cached {
        policy,
        storing,
        staleness,
        tags,
        runtime,
        ..
    } = plan;
    let none_ttl = policy
        .none_ttl_ms
        .map(|ms| quote_spanned!(here=> .none_ttl(::core::time::Duration::from_millis(#ms))));
    let local_ttl = policy
        .local_ttl_ms
        .map(|ms| quote_spanned!(here=> .local_ttl(::core::time::Duration::from_millis(#ms))));
    let verify = policy
        .verify
        .map(|share| quote_spanned!(here=> .verify(#share)));
    let tagged = (!tags.is_empty()).then(|| quote_spanned!(here=> .tagged()));
    let staleness = super::staleness::policy(runtime, staleness);
    let policy = policy_of(runtime, &policy.ttl, storing.version);
    quote_spanned!(here=> #runtime::Effect::Caches(#policy #none_ttl #local_ttl #verify #tagged #staleness))
}
