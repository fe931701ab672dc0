//! What the macros write: thin calls into `cache_runtime::__private`.
//!
//! Everything written here has the hygiene of `macro_rules` (`Span::mixed_site`), so that no local
//! variable can meet one of the user's; items and `use` stand in blocks of their own, away from the user's body.

mod batch;
pub(crate) mod cache_key;
pub(crate) mod cached;
pub(crate) mod invalidates;
pub(crate) mod key_part;
mod site;
mod staleness;
mod taken_along;
mod value_type;
pub(crate) mod write_through;

use proc_macro2::{Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Ident, Type};

use crate::args::storing::{Storing, Ttl};
use crate::check::{Place, Resolved, Step};
use crate::function::Function;
use crate::template::Ending;

/// The shape of what the function returns, found by the compiler.
fn shape(runtime: &TokenStream, returned: &Type) -> TokenStream {
    quote_spanned! {Span::mixed_site()=> {
        #[allow(unused_imports)]
        use #runtime::{ViaOptionOf as _, ViaPlain as _, ViaResultOf as _, ViaResultOfOption as _};
        (&&&&#runtime::Probe::<#returned>::new()).shape()
    }}
}

/// `effects(site)`, or those of the cache that the annotation names.
fn effects(
    cache: Option<&Expr>,
    site: &site::Site<'_>,
    function: &Function,
    runtime: &TokenStream,
) -> TokenStream {
    let Some(cache) = cache else {
        return quote_spanned!(Span::mixed_site()=> #runtime::effects(#site));
    };
    let at_cache = cache.span().resolved_at(Span::mixed_site());
    let cache = given(cache, function);
    quote_spanned!(at_cache=> #runtime::effects_on(&(#cache), #site))
}

/// The policy of a call site, as far as it is known to all of its calls.
fn policy_of(runtime: &TokenStream, ttl: &Ttl, version: Option<u32>) -> TokenStream {
    let here = Span::mixed_site();
    let ms = match ttl {
        Ttl::Fixed(ms) => *ms,
        Ttl::OfCall(_) | Ttl::OfValue(_) => 0,
    };
    let version = version.map(|version| quote_spanned!(here=> .version(#version)));
    quote_spanned!(here=> #runtime::Policy::new(::core::time::Duration::from_millis(#ms)) #version)
}

/// `.when(…).ttl_by(…)`: which values are stored, and for how long, where the values say it.
fn selection(storing: &Storing, ttl: &Ttl, function: &Function) -> TokenStream {
    let by = match ttl {
        Ttl::OfValue(by) => Some(by),
        Ttl::Fixed(_) | Ttl::OfCall(_) => None,
    };
    let call = |name: &str, by: &Expr| {
        let at = by.span().resolved_at(Span::mixed_site());
        let (name, by) = (Ident::new(name, at), given(by, function));
        quote_spanned!(at=> .#name(#by))
    };
    let when = storing.when.as_ref().map(|when| call("when", when));
    let by = by.map(|by| call("ttl_by", by));
    quote!(#when #by)
}

/// The codec; where it is none, it is at fault itself, at the place where it is named.
fn codec(codec: Option<&Type>, runtime: &TokenStream, otherwise: Span) -> TokenStream {
    let Some(codec) = codec else {
        let runtime = respanned(runtime, otherwise);
        return quote_spanned!(otherwise=> #runtime::MessagePack);
    };
    let at_codec = codec.span().resolved_at(Span::mixed_site());
    let tokens = codec.to_token_stream().into_iter().map(|mut token| {
        // Which crate `$crate` is, its own span tells.
        if !matches!(&token, TokenTree::Ident(ident) if ident == "$crate") {
            token.set_span(at_codec);
        }
        token
    });
    tokens.collect()
}

/// Statements that write a key into `writer`.
///
/// `returned` is where the fields of a `<return…>` are; `rendered` gives, for a part that was rendered before, its text.
fn write(
    template: &Resolved,
    writer: &Ident,
    returned: &Ident,
    mut rendered: impl FnMut(&TokenStream, Ending) -> Option<Ident>,
) -> TokenStream {
    let here = Span::mixed_site();
    let literal = template.literal.span().resolved_at(here);
    let steps = template.steps.iter().map(|step| match step {
        Step::Text(text) => quote_spanned!(here=> #writer.literal(#text);),
        Step::Part(Place::Given(value), ending) => {
            if let Some(text) = rendered(value, *ending) {
                return quote_spanned!(here=> #writer.literal(&#text););
            }
            let value = quote_spanned!(literal=> &#value);
            write_part(writer, &value, *ending, literal)
        }
        Step::Part(Place::Returned(fields), ending) => {
            let value = if fields.is_empty() {
                quote!(#returned)
            } else {
                quote_spanned!(literal=> &#returned #fields)
            };
            write_part(writer, &value, *ending, literal)
        }
    });
    quote!(#(#steps)*)
}

fn write_part(writer: &Ident, value: &TokenStream, ending: Ending, literal: Span) -> TokenStream {
    match ending {
        Ending::Segment => quote_spanned!(literal=> #writer.part(#value);),
        Ending::Before(delimiter) => {
            let delimiter = proc_macro2::Literal::byte_character(delimiter);
            quote_spanned!(literal=> #writer.part_before(#value, #delimiter);)
        }
        Ending::Hash => quote_spanned!(literal=> #writer.part_hashed(#value);),
    }
}

/// `|writer| { … }`
fn writing(template: &Resolved) -> TokenStream {
    let writer = local("writer");
    let steps = write(template, &writer, &local("returned"), |_, _| None);
    quote_spanned!(Span::mixed_site()=> |#writer| { #steps })
}

fn local(name: &str) -> Ident {
    format_ident!("{name}", span = Span::mixed_site())
}

/// An expression of the user's, in which `self` is called what it is called where the expression is evaluated.
fn given(value: &Expr, function: &Function) -> TokenStream {
    match function.receiver() {
        Some(receiver) if receiver != "self" => replace_self(quote!(#value), &receiver),
        _ => quote!(#value),
    }
}

fn replace_self(tokens: TokenStream, receiver: &Ident) -> TokenStream {
    use proc_macro2::Group;
    let mut tokens = tokens.into_iter().peekable();
    let next = || {
        let token = tokens.next()?;
        // `self::` is a module.
        let is_path = matches!(
            tokens.peek(),
            Some(TokenTree::Punct(colon)) if colon.as_char() == ':' && colon.spacing() == Spacing::Joint
        );
        Some((token, is_path))
    };
    std::iter::from_fn(next)
        .map(|(token, is_path)| match token {
            TokenTree::Ident(this) if this == "self" && !is_path => {
                let mut renamed = receiver.clone();
                renamed.set_span(this.span().resolved_at(receiver.span()));
                TokenTree::Ident(renamed)
            }
            TokenTree::Group(group) => {
                let mut replaced =
                    Group::new(group.delimiter(), replace_self(group.stream(), receiver));
                replaced.set_span(group.span());
                TokenTree::Group(replaced)
            }
            other => other,
        })
        .collect()
}

/// The same tokens, located at `place`.
fn respanned(tokens: &TokenStream, place: Span) -> TokenStream {
    tokens
        .clone()
        .into_iter()
        .map(|mut token| {
            token.set_span(place.resolved_at(token.span()));
            token
        })
        .collect()
}
