//! The attribute macros of `cache-runtime`.
use proc_macro::TokenStream;
#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn cached(_: TokenStream, item: TokenStream) -> TokenStream { item }
#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn invalidates(_: TokenStream, item: TokenStream) -> TokenStream { item }
#[allow(missing_docs)]
#[proc_macro_derive(CacheKey, attributes(cache_key))]
pub fn cache_key(_: TokenStream) -> TokenStream { TokenStream::new() }
#[allow(missing_docs)]
#[proc_macro_derive(KeyPart)]
pub fn key_part(_: TokenStream) -> TokenStream { TokenStream::new() }
