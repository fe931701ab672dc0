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
}
