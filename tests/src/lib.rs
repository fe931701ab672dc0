//! Real servers and small helpers for the tests.
//!
//! A test starts the server it needs on a free port; dropping the handle stops it by its own pid.

pub mod cut;
pub mod garbler;
pub mod meddler;
pub mod redis_server;
pub mod stampede;
pub mod wait;

pub use cut::{cut, halted};
pub use redis_server::RedisServer;
pub use wait::eventually;
