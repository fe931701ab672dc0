//! `#[derive(CacheKey)]`

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{DeriveInput, GenericParam, Type, parse_quote};

use super::{local, write};
use crate::args::identifiers;
use crate::check::CacheKey;

// Input:
//     #[cache_key("user:<id>", value = User)]
//     struct UserKey { id: u64 }
//
// Output:
//     impl CacheKey for UserKey {
//         type Admits = Only<User>;
//         fn template(&self) -> Cow<'static, str> { Cow::Borrowed("user:<id>") }
//         fn write_key(&self, writer: &mut KeyWriter) { writer.literal("user:"); writer.part(&self.id); }
//     }
//     const _: () = { static KEY_TYPE: KeyType = KeyType::new("…::UserKey", "user:<id>"); };
pub(crate) fn expand(plan: &CacheKey<'_>) -> TokenStream {
    let here = Span::mixed_site();
    let CacheKey {
        input,
        template,
        value,
        parts,
        runtime,
    } = plan;
    let admits = value.as_ref().map_or_else(
        || quote_spanned!(here=> #runtime::AnyValue),
        |value| quote_spanned!(here=> #runtime::Only<#value>),
    );
    let writer = local("writer");
    let write = write(template, &writer, &local("returned"), |_, _| None);
    let text = template.literal.value();
    let implementation = implementation(
        input,
        parts,
        runtime,
        &quote_spanned! {here=>
            type Admits = #admits;
            fn template(&self) -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed(#text)
            }
            fn write_key(&self, #writer: &mut #runtime::KeyWriter) {
                #write
            }
        },
    );
    let name = syn::ext::IdentExt::unraw(&input.ident).to_string();
    quote_spanned! {here=>
        #implementation
        const _: () = {
            #[#runtime::linkme::distributed_slice(#runtime::KEY_TYPES)]
            #[linkme(crate = #runtime::linkme)]
            static KEY_TYPE: #runtime::KeyType =
                #runtime::KeyType::new(::core::concat!(::core::module_path!(), "::", #name), #text);
        };
    }
}

/// An implementation that says nothing, for a key with an error in it: what uses the key is not at fault.
pub(crate) fn stand_in(input: &DeriveInput, runtime: &TokenStream) -> TokenStream {
    implementation(
        input,
        &[],
        runtime,
        &quote_spanned! {Span::mixed_site()=>
            type Admits = #runtime::AnyValue;
            fn template(&self) -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed("")
            }
            fn write_key(&self, _: &mut #runtime::KeyWriter) {}
        },
    )
}

fn implementation(
    input: &DeriveInput,
    parts: &[Type],
    runtime: &TokenStream,
    items: &TokenStream,
) -> TokenStream {
    let name = &input.ident;
    let mut generics = input.generics.clone();
    for part in parts.iter().filter(|part| is_generic(part, input)) {
        generics
            .make_where_clause()
            .predicates
            .push(parse_quote!(#part: #runtime::KeyPart));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl #impl_generics #runtime::CacheKey for #name #type_generics #where_clause {
            #items
        }
    }
}

/// Whether a type depends on a type parameter, so that what it can do is for a bound to say.
pub(super) fn is_generic(ty: &Type, input: &DeriveInput) -> bool {
    let names = identifiers(ty);
    input.generics.params.iter().any(|param| match param {
        GenericParam::Type(param) => names.contains(&param.ident),
        GenericParam::Lifetime(_) | GenericParam::Const(_) => false,
    })
}
