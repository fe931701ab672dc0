//! The page: one document, which asks for nothing but the API beneath it.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{Html, IntoResponse, Response};

const PAGE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/app.js");

/// What stands in the page where its style, its script, and the word that lets the browser use them go.
const PLACES: [&str; 3] = ["{{style}}", "{{script}}", "{{nonce}}"];

pub(super) fn response() -> Response {
    // A word for this answer alone: what somebody else gets into the page is not run.
    let nonce = format!("{:032x}", fastrand::u128(..));
    let [style, script, word] = PLACES;
    let page = PAGE
        .replace(style, STYLE)
        .replace(script, SCRIPT)
        .replace(word, &nonce);
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (CONTENT_SECURITY_POLICY, policy.as_str()),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        for text in [PAGE, STYLE, SCRIPT] {
            let addresses = text.matches("://").count();
            // The namespace of SVG, which is a name.
            assert_eq!(
                addresses,
                text.matches("http://www.w3.org/2000/svg").count()
            );
            for fetching in ["@import", "url(", "import(", "src=", "integrity"] {
                assert!(!text.contains(fetching), "{fetching}");
            }
        }
        assert!(PLACES.iter().all(|place| PAGE.contains(place)));
        assert!(!STYLE.contains("{{") && !SCRIPT.contains("{{"));
    }

    /// A colour by its name, as the light theme has it (0) or the dark one (1).
    fn colour(name: &str, theme: usize) -> [f64; 3] {
        let named = format!("--{name}: #");
        let hex = STYLE.split(&named).nth(1 + theme).unwrap_or_default();
        let hex = hex.split(';').next().unwrap_or_default();
        let width = hex.len() / 3;
        [0, 1, 2].map(|channel| {
            let digits = hex.get(channel * width..(channel + 1) * width);
            let digits = digits.unwrap_or_default().repeat(2 / width.max(1));
            f64::from(u8::from_str_radix(&digits, 16).unwrap_or_default()) / 255.0
        })
    }

    /// The relative luminance of WCAG 2.
    fn luminance(colour: [f64; 3]) -> f64 {
        let [red, green, blue] = colour.map(|channel| {
            if channel <= 0.04045 {
                channel / 12.92
            } else {
                ((channel + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn each_text_can_be_read_on_each_ground() {
        for theme in [0, 1] {
            for text in ["ink", "soft", "good", "bad", "warn"] {
                for ground in ["panel", "ground"] {
                    let mut both = [text, ground].map(|name| luminance(colour(name, theme)));
                    both.sort_by(f64::total_cmp);
                    let [dark, light] = both;
                    let contrast = (light + 0.05) / (dark + 0.05);
                    assert!(contrast >= 4.5, "{text} on {ground}, {theme}: {contrast}");
                }
            }
        }
    }
}
