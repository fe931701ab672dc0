//! The value that every subject caches: a row of about 450 bytes as MessagePack.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

static LOADS: AtomicU64 = AtomicU64::new(0);

/// How often a body has run.
pub(crate) fn loads() -> u64 {
    LOADS.load(Ordering::Relaxed)
}

/// What a repository function returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "peers", derive(hitbox_fn::prelude::CacheableResponse))]
pub(crate) struct User {
    id: u64,
    name: String,
    email: String,
    phone: Option<String>,
    address: Address,
    roles: Vec<String>,
    biography: String,
    created_at: i64,
    balance: f64,
    active: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Address {
    street: String,
    city: String,
    postcode: String,
    country: String,
}

impl User {
    /// The row under `id`: what the body of each cached function returns. It costs a few allocations and no waiting: a body that is as good as free.
    pub(crate) fn of(id: u64) -> Self {
        LOADS.fetch_add(1, Ordering::Relaxed);
        Self {
            id,
            name: format!("Augusta Ada King {id}"),
            email: format!("ada.king.{id}@analytical-engines.example"),
            phone: Some(format!("+44 20 7946 {:04}", id % 10_000)),
            address: Address {
                street: format!("{} St James's Square", id % 100),
                city: "London".to_owned(),
                postcode: "SW1Y 4JH".to_owned(),
                country: "United Kingdom".to_owned(),
            },
            roles: ["reader", "editor", "administrator"]
                .map(str::to_owned)
                .into(),
            biography:
                "Wrote the first program for a machine that was never built, and said what such a \
                        machine could do beyond numbers."
                    .to_owned(),
            created_at: 1_700_000_000_000,
            balance: 1843.25,
            active: true,
        }
    }
}
