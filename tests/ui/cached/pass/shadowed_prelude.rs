#![no_implicit_prelude]
#![allow(unused, non_camel_case_types)]

mod core {}
mod std {}
mod cache_runtime {}
struct Result;
struct Option;
struct Some;
struct None;
struct Ok;
struct Err;
struct Box;
struct String;
struct Vec;
struct u64;
trait Future {}
trait Clone {}
trait Fn {}
trait Into {}
macro_rules! concat {
    () => {};
}
macro_rules! file {
    () => {};
}
macro_rules! line {
    () => {};
}
macro_rules! module_path {
    () => {};
}
macro_rules! stringify {
    () => {};
}

#[derive(::cache_runtime::CacheKey)]
#[cache_key("typed:<id>", value = ::std::primitive::u64)]
struct Key {
    id: ::std::primitive::u64,
}

#[derive(::cache_runtime::KeyPart)]
struct Id(::std::primitive::u64);

#[derive(::cache_runtime::KeyPart)]
enum Region {
    Europe,
}

#[::cache_runtime::cached(key = "user:<id>:<region>", ttl = 60, none_ttl = 5, version = 1)]
async fn find(id: Id, region: Region) -> ::std::result::Result<::std::option::Option<::std::primitive::u64>, ::std::string::String> {
    ::std::result::Result::Ok(::std::option::Option::Some(id.0))
}

#[::cache_runtime::cached(key = Key { id }, ttl = 60)]
async fn typed(id: ::std::primitive::u64) -> ::std::primitive::u64 {
    id
}

#[::cache_runtime::invalidates("user:<id>:<return>", Key { id })]
async fn change(id: ::std::primitive::u64) -> ::std::option::Option<::std::primitive::u64> {
    ::std::option::Option::Some(id)
}

fn main() {}
