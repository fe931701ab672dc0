//! `#[write_through]`

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned as _;

use super::site::Site;
use super::{codec, effects, given, policy_of, selection, shape, writing};
use crate::args::storing::Ttl;
use crate::check::{Key, WriteThrough};

// Input:
//     async fn save(&self, settings: &Settings) -> R { body }
//
// Output:
//     async fn save(&self, settings: &Settings) -> R {
//         let mut effects = effects({ static SITE: CallSite = …; &SITE });
//         let shape = …;
//         let key = effects.writes(|writer| { writer.literal("settings:global"); });
//         let policy = Policy::new(Duration::from_millis(600000));
//         let body = pin!(async move { body });
//         let made = made::<R, _, _, _>(&shape, Clone::clone).under(&key);
//         let storing = made.every();
//         write_through::<_, _, _, MessagePack>(&mut effects, shape, policy, made, storing, body).await
//     }
pub(crate) fn expand(plan: &WriteThrough<'_>) -> TokenStream {
    let here = Span::mixed_site();
    let WriteThrough {
        function,
        body,
        key,
        ttl,
        storing,
        tags,
        value,
        cache,
        allow,
        runtime,
    } = plan;
    let returned = function.returned();
    let at_return = returned.span().resolved_at(here);
    let policy = policy_of(runtime, ttl, storing.version);
    let effect = quote_spanned!(here=> #runtime::Effect::WritesThrough(#policy));
    let site = Site {
        runtime,
        function,
        effect,
        keys: std::slice::from_ref(key),
        patterns: &[],
        tags,
        // Where it is made of what was returned, the type is not written down.
        value: value.is_none().then_some(&returned),
        is_batch: false,
        allow,
    };
    let shape = shape(runtime, &returned);
    let mutable = (!tags.is_empty()).then(|| quote_spanned!(here=> mut));
    let key = match key {
        Key::Template(template) => {
            let writing = writing(template);
            quote_spanned!(here=> let #mutable key = effects.writes(#writing);)
        }
        Key::Typed(key) => {
            let at_key = key.span().resolved_at(here);
            let key = given(key, function);
            quote_spanned!(at_key=> let #mutable key = effects.writes_typed(&(#key));)
        }
    };
    let policy = match ttl {
        Ttl::OfCall(ttl) => {
            let ttl = given(ttl, function);
            quote_spanned!(here=> #runtime::living(#policy, || #ttl))
        }
        Ttl::Fixed(_) | Ttl::OfValue(_) => policy,
    };
    let effects = effects(cache.as_ref(), &site, function, runtime);
    let tagging = tags.iter().map(writing);
    let before = quote_spanned! {here=>
        let mut effects = #effects;
        let shape = #shape;
        #key
        #(key.tag(&effects, #tagging);)*
        let policy = #policy;
    };
    // Where the value is not what was returned, it is at fault if it cannot be stored.
    let (at, make) = match value {
        Some(value) => (value.span().resolved_at(here), given(value, function)),
        None => (
            at_return,
            quote_spanned!(at_return=> ::core::clone::Clone::clone),
        ),
    };
    let selection = selection(storing, ttl, function);
    let codec = codec(storing.codec.as_ref(), runtime, at);
    function.wrap(body, &before, |body| {
        let runtime = super::respanned(runtime, at);
        let (write, of_key) = if tags.is_empty() {
            let write = quote_spanned!(at=> #runtime::write_through::<#returned, _, _, #codec>);
            (write, None)
        } else {
            let write = quote_spanned!(at=> #runtime::write_through_with_tags::<#returned, _, _, _, #codec>);
            (write, Some(quote_spanned!(at=> key,)))
        };
        quote_spanned! {at=>
            let body = ::core::pin::pin!(#body);
            let made = #runtime::made::<#returned, _, _, _>(&shape, #make).under(&key);
            let storing = made.every() #selection;
            #write(&mut effects, shape, #of_key policy, made, storing, body).await
        }
    })
}
