//! `#[derive(KeyPart)]`

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Index, Member, parse_quote};

use super::cache_key::is_generic;
use crate::check::{KeyPart, PartText};

// Input:
//     struct UserId(u64);
//
// Output:
//     impl KeyPart for UserId {
//         fn write_part(&self, part: &mut PartWriter<'_>) { KeyPart::write_part(&self.0, part) }
//     }
pub(crate) fn expand(plan: &KeyPart<'_>) -> TokenStream {
    let here = Span::mixed_site();
    let KeyPart {
        input,
        text,
        runtime,
    } = plan;
    let mut generics = input.generics.clone();
    let write = match text {
        PartText::Of(member, ty) => {
            if is_generic(ty, input) {
                generics
                    .make_where_clause()
                    .predicates
                    .push(parse_quote!(#ty: #runtime::KeyPart));
            }
            let at_type = ty.span().resolved_at(here);
            let field = match member {
                Member::Unnamed(index) => Member::Unnamed(Index {
                    index: index.index,
                    span: at_type,
                }),
                Member::Named(name) => Member::Named(name.clone()),
            };
            let field = quote_spanned!(at_type=> &self.#field);
            quote_spanned!(here=> #runtime::KeyPart::write_part(#field, part);)
        }
        PartText::Variant(variants) if variants.is_empty() => quote_spanned!(here=> match *self {}),
        PartText::Variant(variants) => {
            let arms = variants.iter().map(|variant| {
                let name = &variant.ident;
                let text = name.unraw().to_string();
                quote_spanned!(here=> Self::#name => #text,)
            });
            quote_spanned!(here=> part.push_str(match self { #(#arms)* });)
        }
    };
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    quote_spanned! {here=>
        #[automatically_derived]
        impl #impl_generics #runtime::KeyPart for #name #type_generics #where_clause {
            fn write_part(&self, part: &mut #runtime::PartWriter<'_>) {
                #write
            }
        }
    }
}

/// An implementation that says nothing, for a part with an error in it: what uses the part is not at fault.
pub(crate) fn stand_in(input: &DeriveInput, runtime: &TokenStream) -> TokenStream {
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl #impl_generics #runtime::KeyPart for #name #type_generics #where_clause {
            fn write_part(&self, _: &mut #runtime::PartWriter<'_>) {}
        }
    }
}
