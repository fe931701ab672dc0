//! `#[cached]`

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote_spanned};
use syn::spanned::Spanned as _;

use super::site::Site;
use super::{shape, typed, writing};
use crate::args::cached::Policy;
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
        key,
        policy,
        codec,
        allow,
        runtime,
    } = plan;
    let returned = function.returned();
    let site = Site {
        runtime,
        function,
        effect: caches(policy, runtime),
        keys: std::slice::from_ref(key),
        value: Some(&returned),
        allow,
    };
    let shape = shape(runtime, &returned);
    let writing = match key {
        Key::Template(template) => writing(template),
        Key::Typed(key) => {
            let at_key = key.span().resolved_at(here);
            let key = typed(key, function);
            quote_spanned!(at_key=> |writer| #runtime::write_typed::<#returned, _, _>(&shape, &#key, writer))
        }
    };
    // A value that cannot be stored is an error of both calls, of the future and of the `await`. The compiler reports
    // it once if all these are at one place, and the return type is the place for it.
    let at_return = returned.span().resolved_at(here);
    let begin = {
        let runtime = super::respanned(runtime, at_return);
        quote_spanned!(at_return=> #runtime::begin(site, &shape, #writing))
    };
    let before = quote_spanned! {here=>
        let site: &'static #runtime::CallSite = #site;
        let shape = #shape;
        let sharing = {
            #[allow(unused_imports)]
            use #runtime::{ViaClone as _, ViaNothing as _};
            (&&#runtime::error_probe::<#returned, _>(&shape)).sharing()
        };
        let call = #begin;
    };
    function.wrap(body, &before, |body| {
        let runtime = super::respanned(runtime, at_return);
        // Likewise a codec that is none, at the place where it is named.
        let cached = match codec {
            Some(codec) => {
                let at_codec = codec.span().resolved_at(here);
                let runtime = super::respanned(&runtime, at_codec);
                let codec = codec.to_token_stream().into_iter().map(|mut token| {
                    // Which crate `$crate` is, its own span tells.
                    if !matches!(&token, TokenTree::Ident(ident) if ident == "$crate") {
                        token.set_span(at_codec);
                    }
                    token
                });
                let codec: TokenStream = codec.collect();
                quote_spanned!(at_codec=> #runtime::cached::<_, _, _, #codec>(call, shape, sharing, body).await)
            }
            None => {
                quote_spanned!(at_return=> #runtime::cached::<_, _, _, #runtime::MessagePack>(call, shape, sharing, body).await)
            }
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

fn caches(policy: &Policy, runtime: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let ttl = policy.ttl_ms;
    let none_ttl = policy
        .none_ttl_ms
        .map(|ms| quote_spanned!(here=> .none_ttl(::core::time::Duration::from_millis(#ms))));
    let local_ttl = policy
        .local_ttl_ms
        .map(|ms| quote_spanned!(here=> .local_ttl(::core::time::Duration::from_millis(#ms))));
    let version = policy
        .version
        .map(|version| quote_spanned!(here=> .version(#version)));
    quote_spanned! {here=>
        #runtime::Effect::Caches(
            #runtime::Policy::new(::core::time::Duration::from_millis(#ttl)) #none_ttl #local_ttl #version
        )
    }
}
