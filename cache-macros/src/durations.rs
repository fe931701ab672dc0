//! Durations in options: `3600`, `"5m"`, `"1h 30m"`.

use std::time::Duration;

use syn::{Expr, ExprLit, Lit};

/// A century: longer than any entry lives, and far from every overflow of milliseconds.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

const ACCEPTED: &str = "a positive whole number of seconds (`3600`) or a string with units (`\"5m\"`, `\"1h 30m\"`, `\"500ms\"`)";

/// The whole milliseconds that `value`, given for `option`, stands for.
pub(crate) fn milliseconds(option: &str, value: &Expr) -> syn::Result<u64> {
    let fail = |message: String| Err(syn::Error::new_spanned(value, message));
    let duration = match literal(value) {
        Some(Lit::Int(seconds)) => match seconds.suffix() {
            "" | "u32" | "u64" => match seconds.base10_parse() {
                Ok(seconds) => Duration::from_secs(seconds),
                Err(_) => return fail(too_long(option, seconds.base10_digits())),
            },
            unit => {
                let digits = seconds.base10_digits();
                return fail(format!(
                    "`{option}` takes units in a string: `{option} = \"{digits}{unit}\"`; a bare number is seconds"
                ));
            }
        },
        // A month to humantime, and one shift key from a minute.
        Some(Lit::Str(text)) if text.value().contains('M') => {
            return fail(format!(
                "`{option} = \"{}\"` has an `M`: a minute is `m`, and a month is written `month`",
                text.value()
            ));
        }
        Some(Lit::Str(text)) => match humantime::parse_duration(&text.value()) {
            Ok(duration) => duration,
            Err(humantime::DurationError::NumberOverflow) => {
                return fail(too_long(option, &text.value()));
            }
            Err(error) => {
                return fail(format!(
                    "`{option} = \"{}\"` is not a duration: {error}; write {ACCEPTED}",
                    text.value()
                ));
            }
        },
        _ => return fail(format!("`{option}` is {ACCEPTED}, written as a literal")),
    };
    if duration.is_zero() {
        return fail(format!("`{option}` is zero: {}", instead(option)));
    }
    if duration > LONGEST {
        return fail(too_long(
            option,
            &quote::quote!(#value).to_string().replace('"', ""),
        ));
    }
    match u64::try_from(duration.as_millis()) {
        Ok(0) => fail(format!(
            "`{option}` is shorter than a millisecond, which is the resolution of a TTL"
        )),
        Ok(milliseconds) => Ok(milliseconds),
        Err(_) => fail(too_long(option, "this")),
    }
}

fn too_long(option: &str, value: &str) -> String {
    format!("`{option}` of {value} is more than 100 years; write {ACCEPTED}, up to 100 years")
}

fn instead(option: &str) -> &'static str {
    match option {
        "none_ttl" => "leave it out, and an absent value is not cached",
        "stale_while_revalidate" | "stale_if_error" => {
            "leave it out, and a value is gone at the end of its TTL"
        }
        "timeout" => "to return a stale value without waiting, there is `stale_while_revalidate`",
        _ => {
            "nothing would ever be cached; remove the attribute, or give a duration such as `\"5m\"`"
        }
    }
}

/// The literal in `value`, through the invisible group that a `macro_rules` fragment leaves around it.
pub(crate) fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &Expr) -> Result<u64, String> {
        milliseconds("ttl", value).map_err(|error| error.to_string())
    }

    #[test]
    fn seconds_and_units_are_read() {
        assert_eq!(of(&syn::parse_quote!(3600)), Ok(3_600_000));
        assert_eq!(of(&syn::parse_quote!("5m")), Ok(300_000));
        assert_eq!(of(&syn::parse_quote!("1h 30m")), Ok(5_400_000));
        assert_eq!(of(&syn::parse_quote!("500ms")), Ok(500));
    }

    #[test]
    fn what_is_no_ttl_is_refused() {
        for (value, says) in [
            (syn::parse_quote!(0), "zero"),
            (syn::parse_quote!("0s"), "zero"),
            (syn::parse_quote!("5 parsecs"), "unknown time unit"),
            (syn::parse_quote!("200y"), "100 years"),
            (syn::parse_quote!(99999999999999), "100 years"),
            (syn::parse_quote!(99999999999999999999999999), "100 years"),
            (syn::parse_quote!("10us"), "millisecond"),
            (syn::parse_quote!(5m), "\"5m\""),
            (syn::parse_quote!(1.5), "literal"),
            (syn::parse_quote!(MINUTE), "literal"),
            (syn::parse_quote!(""), "not a duration"),
        ] {
            let refused = of(&value);
            assert!(
                matches!(&refused, Err(error) if error.contains(says)),
                "{says}: {refused:?}"
            );
        }
    }
}
