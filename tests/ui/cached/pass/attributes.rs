#![deny(warnings, missing_docs)]
//! Attributes of the function survive.

use cache_runtime::{cached, invalidates};

mod inner {
    use super::cached;

    /// Documented.
    #[cfg(all())]
    #[cached(key = "user:<id>", ttl = 60)]
    #[must_use]
    #[inline]
    #[allow(unused_variables)]
    pub(crate) async fn find(#[allow(unused)] id: u64) -> u64 {
        #![allow(unused_mut)]
        let mut unused = 1;
        1
    }

    #[cfg(any())]
    #[cached(key = "user:<id>", ttl = 60)]
    pub(crate) async fn find(id: Missing) -> u64 {
        1
    }
}

#[invalidates("user:<id>")]
#[allow(dead_code)]
#[deprecated]
async fn unused(id: u64) {
    drop(id.to_string());
}

#[cached(key = "unsafe:<id>", ttl = 60)]
async unsafe fn needs_care(id: u64) -> u64 {
    id
}

#[tokio::main]
async fn main() {
    assert_eq!(inner::find(1).await, 1);
    // SAFETY: it does nothing.
    assert_eq!(unsafe { needs_care(1) }.await, 1);
}
