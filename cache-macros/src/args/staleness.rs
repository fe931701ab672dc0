//! What `#[cached]` says about values near and beyond the end of their TTL.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Expr, Ident, Lit};

use super::{Options, value};
use crate::durations::{literal, milliseconds};
use crate::errors::Errors;

/// The options, as far as they were given well.
#[derive(Default)]
pub(crate) struct Staleness {
    pub(crate) while_revalidate_ms: Option<u64>,
    pub(crate) if_error_ms: Option<u64>,
    pub(crate) ahead: Option<Ahead>,
    pub(crate) timeout_ms: Option<u64>,
    refresh: Option<(Refresh, Span)>,
    /// Where the options stand that were given, well or not.
    places: Vec<(&'static str, Span)>,
}

/// When a value is refreshed that is still fresh.
pub(crate) enum Ahead {
    /// When so many thousandths of its TTL have passed.
    PerMille(u32),
    XFetch,
}

/// Who refreshes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refresh {
    Background,
    Inline,
}

pub(crate) const OPTIONS: [&str; 5] = [
    "stale_while_revalidate",
    "stale_if_error",
    "refresh_ahead",
    "timeout",
    "refresh",
];

impl Staleness {
    /// Reads one of its options; `false` if it is none of them.
    pub(crate) fn read(&mut self, name: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
        let text = name.to_string();
        let Some(option) = OPTIONS.into_iter().find(|option| *option == text) else {
            return Ok(false);
        };
        self.places.push((option, name.span()));
        let time = |example| {
            let value: Expr = value(name, input, example)?;
            milliseconds(option, &value).map(Some)
        };
        match option {
            "stale_while_revalidate" => self.while_revalidate_ms = time("\"1m\"")?,
            "stale_if_error" => self.if_error_ms = time("\"10m\"")?,
            "timeout" => self.timeout_ms = time("\"100ms\"")?,
            "refresh_ahead" => self.ahead = Some(ahead(&value(name, input, "0.9")?)?),
            _ => {
                let value: Expr = value(name, input, "\"inline\"")?;
                self.refresh = Some((refresh(&value)?, name.span()));
            }
        }
        Ok(true)
    }

    /// Whether there is anything to be done with a value at the end of its TTL.
    pub(crate) fn is_any(&self) -> bool {
        self.while_revalidate_ms.is_some() || self.if_error_ms.is_some() || self.ahead.is_some()
    }

    /// Whether a load may outlive its call.
    pub(crate) fn is_in_background(&self) -> bool {
        let is_inline = matches!(self.refresh, Some((Refresh::Inline, _)));
        let has_reason =
            self.while_revalidate_ms.is_some() || self.ahead.is_some() || self.timeout_ms.is_some();
        has_reason && !is_inline
    }

    /// Where `stale_if_error` stands.
    pub(crate) fn if_error(&self) -> Option<Span> {
        self.place("stale_if_error")
    }

    fn place(&self, option: &str) -> Option<Span> {
        let found = self.places.iter().find(|(name, _)| *name == option);
        found.map(|(_, span)| *span)
    }

    /// Reports what does not go together.
    pub(crate) fn conflicts(&self, options: &Options, errors: &mut Errors) {
        let given = |option| options.was_given(option);
        if let (Some(timeout), false) = (self.place("timeout"), given("stale_if_error")) {
            errors.at(
                timeout,
                "`timeout` returns a stale value instead of a load that takes longer, and no stale value is kept here: say for how \
                 long, as in `stale_if_error = \"10m\", timeout = \"100ms\"`",
            );
        }
        let is_refreshed = given("stale_while_revalidate") || given("refresh_ahead");
        let Some((refresh, place)) = self.refresh else {
            return;
        };
        if refresh == Refresh::Inline && given("timeout") {
            errors.at(
                place,
                "`timeout` lets a load go on after its caller has been answered, in the background; with `refresh = \"inline\"` none \
                 does; keep one of the two",
            );
        } else if !is_refreshed && !given("timeout") {
            errors.at(
                place,
                "nothing is refreshed here: `refresh` says who does it for `stale_while_revalidate` and `refresh_ahead`",
            );
        }
    }
}

fn ahead(value: &Expr) -> syn::Result<Ahead> {
    let fail = || {
        syn::Error::new_spanned(
            value,
            "`refresh_ahead` is the share of the TTL after which a value is refreshed, between 0 and 1 (`0.9`), or \"xfetch\": by \
             chance, the earlier the longer the load takes",
        )
    };
    match literal(value) {
        Some(Lit::Float(share)) => {
            let share: f64 = share.base10_parse().map_err(|_| fail())?;
            let per_mille = (share * 1000.0).round();
            if !(1.0..=999.0).contains(&per_mille) {
                return Err(fail());
            }
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a whole number between 1 and 999"
            )]
            Ok(Ahead::PerMille(per_mille as u32))
        }
        Some(Lit::Str(text)) if text.value() == "xfetch" => Ok(Ahead::XFetch),
        _ => Err(fail()),
    }
}

fn refresh(value: &Expr) -> syn::Result<Refresh> {
    match literal(value) {
        Some(Lit::Str(text)) if text.value() == "inline" => Ok(Refresh::Inline),
        Some(Lit::Str(text)) if text.value() == "background" => Ok(Refresh::Background),
        _ => Err(syn::Error::new_spanned(
            value,
            "`refresh` is \"background\" (the default: in a task of its own) or \"inline\" (one caller does it and waits)",
        )),
    }
}
