//! An HTTP service on an embedded database, as a team would write it, with the cache added by annotations.
//!
//! [`repository`] is where the annotations stand; all other modules would be the same without a cache.

pub mod args;
pub mod database;
pub mod error;
pub mod model;
pub mod repository;
pub mod routes;
