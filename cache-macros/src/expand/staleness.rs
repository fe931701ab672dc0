//! Calls of functions whose values may be used beyond their TTL, or are refreshed before its end.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Type;

use super::local;
use crate::args::staleness::{Ahead, Staleness};
use crate::check::Cached;

// Output, in the place of the `match` of other calls:
//
//     let storing = every::<R, _>(&shape);
//     match look::<R, _, MessagePack>(call, &shape, &storing).await {
//         Looked::Hit(value) => value,
//         Looked::Going(ahead) => {
//             let own_0 = own(self);
//             let body = Box::pin(async move { … });
//             refreshed_in_background::<R, _, _, MessagePack, _>(ahead, shape, sharing, storing, body).await
//         }
//     }
pub(super) struct Calls<'a> {
    pub(super) plan: &'a Cached<'a>,
    pub(super) returned: &'a Type,
    pub(super) selection: &'a TokenStream,
    pub(super) codec: &'a TokenStream,
    pub(super) runtime: &'a TokenStream,
    /// What is at fault where the value or the body is none.
    pub(super) at: Span,
}

impl Calls<'_> {
    pub(super) fn expand(&self, owned: &TokenStream, body: &TokenStream) -> TokenStream {
        let Self {
            plan,
            returned,
            selection,
            codec,
            runtime,
            at,
        } = *self;
        let look = local(if plan.tags.is_empty() {
            "look"
        } else {
            "look_with_tags"
        });
        let (body, refreshed) = if plan.taken_along.is_some() {
            (
                quote_spanned!(at=> ::std::boxed::Box::pin(#body)),
                local("refreshed_in_background"),
            )
        } else {
            (
                quote_spanned!(at=> ::core::pin::pin!(#body)),
                local("refreshed_inline"),
            )
        };
        quote_spanned! {at=>
            let storing = #runtime::every::<#returned, _>(&shape) #selection;
            match #runtime::#look::<#returned, _, #codec>(call, &shape, &storing).await {
                #runtime::Looked::Hit(value) => value,
                #runtime::Looked::Going(ahead) => {
                    #owned
                    let body = #body;
                    #runtime::#refreshed::<#returned, _, _, #codec, _>(ahead, shape, sharing, storing, body).await
                }
            }
        }
    }
}

/// `.staleness(…)`, for the policy of a call site.
pub(super) fn policy(runtime: &TokenStream, staleness: &Staleness) -> Option<TokenStream> {
    let here = Span::mixed_site();
    let time = |name: &str, ms: Option<u64>| {
        let name = local(name);
        ms.map(|ms| quote_spanned!(here=> .#name(::core::time::Duration::from_millis(#ms))))
    };
    let while_revalidate = time("while_revalidate", staleness.while_revalidate_ms);
    let if_error = time("if_error", staleness.if_error_ms);
    let timeout = time("timeout", staleness.timeout_ms);
    let ahead = staleness.ahead.as_ref().map(|ahead| match ahead {
        Ahead::PerMille(share) => {
            quote_spanned!(here=> .ahead(#runtime::RefreshAhead::PerMille(#share)))
        }
        Ahead::XFetch => quote_spanned!(here=> .ahead(#runtime::RefreshAhead::XFetch)),
    });
    staleness.is_any().then(|| {
        quote_spanned! {here=>
            .staleness({
                static STALENESS: #runtime::Staleness =
                    #runtime::Staleness::new() #while_revalidate #if_error #ahead #timeout;
                &STALENESS
            })
        }
    })
}
