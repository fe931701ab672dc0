//! The processes under test: the service, and the Redis it shares.

mod redis;
mod service;

pub(crate) use redis::Store;
pub(crate) use service::{Service, build};
