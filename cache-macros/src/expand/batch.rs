//! Functions that answer for several keys at a time.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Type;

use super::cached::codec_span;
use super::{codec, local, respanned};
use crate::check::{Batch, Cached, Held};

/// What the keys are made of, as a `Vec` that belongs to the call.
pub(super) fn given(batch: &Batch) -> TokenStream {
    let here = Span::mixed_site();
    let ids = &batch.ids;
    let given = match batch.held {
        Held::Slice => quote_spanned!(here=> #ids.to_vec()),
        Held::RefVec => quote_spanned!(here=> ::core::clone::Clone::clone(#ids)),
        Held::Vec if batch.is_mutable => quote_spanned!(here=> ::core::mem::take(&mut #ids)),
        Held::Vec => quote_spanned!(here=> #ids),
    };
    quote_spanned!(here=> let given = #given;)
}

// Input:
//     async fn find_users(&self, ids: &[u64]) -> R { body }
//
// Output, after what stands before the body of every cached function, with `begin_batch` for `begin`:
//
//     let storing = each::<R, _>(&shape);
//     let mut loads = look_for_all::<R, _, _, MessagePack, Bare, _>(call, &shape, sharing, &storing).await;
//     let mut others = loads.others();
//     loop {
//         let Some(asked) = loads.next(&mut others).await else {
//             break loads.end();
//         };
//         let returned = {
//             let ids = slice(&asked);
//             let body = pin!(async { body });
//             loads.run(body, &mut others).await
//         };
//         if let Some(returned) = loads.store(returned).await {
//             break returned;
//         }
//     }
//
// The body borrows its arguments, and takes only what it consumes: it may run again.
pub(super) fn expand(
    batch: &Batch,
    plan: &Cached<'_>,
    returned: &Type,
    selection: &TokenStream,
    body: &TokenStream,
) -> TokenStream {
    let here = Span::mixed_site();
    let at_return = syn::spanned::Spanned::span(returned).resolved_at(here);
    let runtime = respanned(&plan.runtime, at_return);
    let at = codec_span(&plan.storing).unwrap_or(at_return);
    let codec = codec(plan.storing.codec.as_ref(), &runtime, at_return);
    let at_codec = respanned(&runtime, at);
    let form = local(if plan.tags.is_empty() {
        "Bare"
    } else {
        "WithTags"
    });
    let ids = &batch.ids;
    let asked = match batch.held {
        Held::Slice => quote_spanned!(here=> let #ids = #runtime::slice(&asked);),
        Held::RefVec => quote_spanned!(here=> let #ids = &asked;),
        Held::Vec if batch.is_mutable => quote_spanned!(here=> let mut #ids = asked;),
        Held::Vec => quote_spanned!(here=> let #ids = asked;),
    };
    quote_spanned! {at_return=>
        let storing = #runtime::each::<#returned, _>(&shape) #selection;
        let mut loads = #at_codec::look_for_all::<#returned, _, _, #codec, #runtime::#form, _>(call, &shape, sharing, &storing).await;
        let mut others = loads.others();
        loop {
            let ::core::option::Option::Some(asked) = loads.next(&mut others).await else {
                break loads.end();
            };
            let returned = {
                #asked
                let body = ::core::pin::pin!(async { #body });
                loads.run(body, &mut others).await
            };
            if let ::core::option::Option::Some(returned) = loads.store(returned).await {
                break returned;
            }
        }
    }
}
