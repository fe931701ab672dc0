//! What a cached function can return, and which part of it is the value.
//!
//! | returns | stored | not stored |
//! | --- | --- | --- |
//! | `Result<Option<T>, E>` | `T` of `Ok(Some(_))`, absence with `none_ttl` | `Err` |
//! | `Result<T, E>` | `T` of `Ok(_)` | `Err` |
//! | `Option<T>` | `T` of `Some(_)`, absence with `none_ttl` | |
//! | `T` | `T` | |
//!
//! The macros cannot see through a type alias (`io::Result<User>`), so the shape is found by the compiler:
//! [`Probe`] offers one method from four traits, and method resolution takes the most specific that fits
//! (autoref-based specialization, as described by David Tolnay).

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What can be cached: any type that can be cloned, sent, and stored.
///
/// Implemented for all types with these bounds; `Arc<T>` makes a hit cheap where `T` is large.
///
/// ```
/// #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct User { id: u64 }
///
/// fn can_be_cached<T: cache_runtime::CacheValue>() {}
/// can_be_cached::<User>();
/// can_be_cached::<std::sync::Arc<[User]>>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be cached",
    label = "this value cannot be stored",
    note = "a cached value is `Serialize + DeserializeOwned + Clone + Send + Sync + 'static`: `#[derive(Clone, serde::Serialize, serde::Deserialize)]`"
)]
pub trait CacheValue: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> CacheValue for T {}

/// One look at what a function returned.
#[derive(Debug)]
pub enum View<'a, T, E> {
    /// A value.
    Value(&'a T),
    /// `None`.
    Absent,
    /// `Err`.
    Failed(&'a E),
}

/// A return type, taken apart by its shape `S`.
pub trait Outcome<S>: Sized {
    /// What is stored.
    type Value;
    /// What is not: [`Infallible`] where there is no error.
    type Error;
    /// Takes it apart.
    fn view(&self) -> View<'_, Self::Value, Self::Error>;
    /// Puts it together from a stored value; `None` if this shape has no place for an absent one.
    fn from_stored(value: Option<Self::Value>) -> Option<Self>;
    /// Puts it together from an error.
    fn from_error(error: Self::Error) -> Self;
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $shape:ident),*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $shape;
    )*};
}
shapes!(
    /// `Result<Option<T>, E>`
    ResultOfOption,
    /// `Result<T, E>`
    ResultOf,
    /// `Option<T>`
    OptionOf,
    /// Anything else
    Plain
);

impl<T, E> Outcome<ResultOfOption> for Result<Option<T>, E> {
    type Value = T;
    type Error = E;
    fn view(&self) -> View<'_, T, E> {
        match self {
            Ok(Some(value)) => View::Value(value),
            Ok(None) => View::Absent,
            Err(error) => View::Failed(error),
        }
    }
    fn from_stored(value: Option<T>) -> Option<Self> {
        Some(Ok(value))
    }
    fn from_error(error: E) -> Self {
        Err(error)
    }
}

impl<T, E> Outcome<ResultOf> for Result<T, E> {
    type Value = T;
    type Error = E;
    fn view(&self) -> View<'_, T, E> {
        match self {
            Ok(value) => View::Value(value),
            Err(error) => View::Failed(error),
        }
    }
    fn from_stored(value: Option<T>) -> Option<Self> {
        value.map(Ok)
    }
    fn from_error(error: E) -> Self {
        Err(error)
    }
}

impl<T> Outcome<OptionOf> for Option<T> {
    type Value = T;
    type Error = Infallible;
    fn view(&self) -> View<'_, T, Infallible> {
        match self {
            Some(value) => View::Value(value),
            None => View::Absent,
        }
    }
    fn from_stored(value: Option<T>) -> Option<Self> {
        Some(value)
    }
    fn from_error(error: Infallible) -> Self {
        match error {}
    }
}

impl<T> Outcome<Plain> for T {
    type Value = T;
    type Error = Infallible;
    fn view(&self) -> View<'_, T, Infallible> {
        View::Value(self)
    }
    fn from_stored(value: Option<T>) -> Option<Self> {
        value
    }
    fn from_error(error: Infallible) -> Self {
        match error {}
    }
}

/// Asks the compiler for the shape of `R`: `(&&&Probe::<R>::new()).shape()` with the four traits in scope.
pub struct Probe<R>(PhantomData<fn() -> R>);

impl<R> Probe<R> {
    /// A question about `R`.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> fmt::Debug for Probe<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

macro_rules! ways {
    ($($way:ident: [$($generics:ident),*] $probed:ty => $shape:ident),* $(,)?) => {$(
        /// One answer of [`Probe`].
        pub trait $way {
            /// The shape.
            fn shape(&self) -> $shape;
        }
        impl<$($generics),*> $way for $probed {
            fn shape(&self) -> $shape {
                $shape
            }
        }
    )*};
}
ways!(
    ViaResultOfOption: [T, E] &&&Probe<Result<Option<T>, E>> => ResultOfOption,
    ViaResultOf: [T, E] &&Probe<Result<T, E>> => ResultOf,
    ViaOptionOf: [T] &Probe<Option<T>> => OptionOf,
    ViaPlain: [T] Probe<T> => Plain,
);

/// How an error reaches the callers who waited for the failed load.
pub trait ErrorSharing<E> {
    /// A copy that can be handed over, if there is one.
    fn capture(&self, error: &E) -> Option<Arc<dyn Any + Send + Sync>>;
    /// The error back from such a copy.
    fn restore(&self, shared: &Arc<dyn Any + Send + Sync>) -> Option<E>;
}

/// The error cannot be cloned: every caller who waited runs the body itself.
#[derive(Clone, Copy, Debug)]
pub struct NotShared;

impl<E> ErrorSharing<E> for NotShared {
    fn capture(&self, _: &E) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }
    fn restore(&self, _: &Arc<dyn Any + Send + Sync>) -> Option<E> {
        None
    }
}

/// The error is cloned for every caller who waited.
#[derive(Clone, Copy, Debug)]
pub struct SharedByClone;

impl<E: Clone + Send + Sync + 'static> ErrorSharing<E> for SharedByClone {
    fn capture(&self, error: &E) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(Arc::new(error.clone()))
    }
    fn restore(&self, shared: &Arc<dyn Any + Send + Sync>) -> Option<E> {
        shared.downcast_ref::<E>().cloned()
    }
}

/// Asks the compiler whether an error can be cloned: `(&error_probe::<R, _>(&shape)).sharing()`.
pub struct ErrorProbe<E>(PhantomData<fn() -> E>);

/// A question about the error of `R`.
#[must_use]
pub fn error_probe<R: Outcome<S>, S>(_: &S) -> ErrorProbe<R::Error> {
    ErrorProbe(PhantomData)
}

impl<E> fmt::Debug for ErrorProbe<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorProbe")
    }
}

/// The answer for errors that can be cloned.
pub trait ViaClone {
    /// How to share.
    fn sharing(&self) -> SharedByClone;
}
impl<E: Clone + Send + Sync + 'static> ViaClone for &ErrorProbe<E> {
    fn sharing(&self) -> SharedByClone {
        SharedByClone
    }
}

/// The answer for all others.
pub trait ViaNothing {
    /// How to share.
    fn sharing(&self) -> NotShared;
}
impl<E> ViaNothing for ErrorProbe<E> {
    fn sharing(&self) -> NotShared {
        NotShared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! shape_of {
        ($ty:ty) => {
            std::any::type_name_of_val(&(&&&&Probe::<$ty>::new()).shape())
        };
    }

    #[derive(Clone)]
    struct Cloneable;
    struct Unique;

    type Aliased<T> = Result<T, Unique>;

    #[test]
    fn the_most_specific_shape_is_found_through_aliases() {
        assert!(shape_of!(Aliased<Option<u8>>).ends_with("ResultOfOption"));
        assert!(shape_of!(Aliased<u8>).ends_with("ResultOf"));
        assert!(shape_of!(Option<u8>).ends_with("OptionOf"));
        assert!(shape_of!(Vec<u8>).ends_with("Plain"));
    }

    fn generic<T>() -> &'static str {
        shape_of!(Aliased<Option<T>>)
    }

    #[test]
    fn shapes_are_found_in_generic_functions() {
        assert!(generic::<Unique>().ends_with("ResultOfOption"));
    }

    #[test]
    #[allow(
        clippy::needless_borrow,
        reason = "as the macros write it: the borrows choose the answer"
    )]
    fn an_error_is_shared_only_if_it_can_be_cloned() {
        let shared = (&&error_probe::<Result<u8, Cloneable>, ResultOf>(&ResultOf)).sharing();
        assert!(shared.capture(&Cloneable).is_some());
        let unique = (&&error_probe::<Result<u8, Unique>, ResultOf>(&ResultOf)).sharing();
        assert!(unique.capture(&Unique).is_none());
    }
}
