//! A body whose borrowed arguments are its own, so that it may outlive its call.

use proc_macro2::{Group, Span, TokenStream};
use quote::{format_ident, quote_spanned};

use super::{local, replace_self, respanned};
use crate::check::Taken;
use crate::function::Body;

// Input:
//     async fn find(&self, name: &str, id: u64) -> R { body }
//
// Output, before the body is made, and the body:
//     let own_0 = own(self);
//     let own_1 = own(name);
//
//     {
//         let this: &Self = lend(&own_0);
//         let name: &str = lend(&own_1);
//         { body, with `this` for `self` }
//     }
pub(super) fn owning(taken: &[Taken], body: &Body, runtime: &TokenStream) -> (TokenStream, Body) {
    let here = Span::mixed_site();
    let this = local("this");
    if taken.is_empty() {
        return (TokenStream::new(), body.mapped(Group::clone));
    }
    let (mut owned, mut lent) = (TokenStream::new(), TokenStream::new());
    let mut is_renamed = false;
    for (index, Taken { name, to, place }) in taken.iter().enumerate() {
        let at = place.resolved_at(here);
        let runtime = respanned(runtime, at);
        let own = format_ident!("own_{index}", span = here);
        owned.extend(quote_spanned!(at=> let #own = #runtime::own(#name);));
        let name = if name == "self" {
            is_renamed = true;
            &this
        } else {
            name
        };
        let to = to.as_ref().map(|ty| quote_spanned!(at=> : &#ty));
        let own = if to.is_some() {
            quote_spanned!(at=> #runtime::lend(&#own))
        } else {
            quote_spanned!(at=> &#own)
        };
        lent.extend(quote_spanned!(at=> #[allow(unused_variables)] let #name #to = #own;));
    }
    let body = body.mapped(|body| {
        let stream = if is_renamed {
            replace_self(body.stream(), &this)
        } else {
            body.stream()
        };
        let mut inner = Group::new(body.delimiter(), stream);
        inner.set_span(body.span().resolved_at(here));
        let mut outer = Group::new(body.delimiter(), quote_spanned!(here=> #lent #inner));
        outer.set_span(body.span());
        outer
    });
    (owned, body)
}
