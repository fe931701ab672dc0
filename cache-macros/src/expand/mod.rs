//! What the macros write: thin calls into `cache_runtime::__private`.
//!
//! Everything written here has the hygiene of `macro_rules` (`Span::mixed_site`), so that no local
//! variable can meet one of the user's; items and `use` stand in blocks of their own, away from the user's body.

pub(crate) mod cache_key;
pub(crate) mod cached;
pub(crate) mod invalidates;
pub(crate) mod key_part;
mod site;
mod value_type;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Expr, Ident, Type};

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

/// A typed key, in which `self` is called what it is called where the key is made.
fn typed(key: &Expr, function: &Function) -> TokenStream {
    match function.receiver() {
        Some(receiver) if receiver != "self" => replace_self(quote!(#key), &receiver),
        _ => quote!(#key),
    }
}

fn replace_self(tokens: TokenStream, receiver: &Ident) -> TokenStream {
    use proc_macro2::{Group, TokenTree};
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Ident(this) if this == "self" => {
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
