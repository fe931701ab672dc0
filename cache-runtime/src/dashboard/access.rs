//! Who may do what.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::switch::Mode;

/// What a request wants to do. As JSON: `{"action": "invalidate_key", "key": "user:42"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Action {
    /// Look at the page, the figures, the audit and the doctor. No key and no value is shown.
    View,
    /// Look one key up: [`Cache::inspect`](crate::Cache::inspect).
    Inspect {
        /// As it stands in the store, without the namespace.
        key: String,
    },
    /// See the value under a key, as the text of a JSON, as far as it can be decoded here: not in the embedded store, nor of a codec of your own, nor above 64 KiB.
    Reveal {
        /// As it stands in the store, without the namespace.
        key: String,
    },
    /// Count what stands in the store: [`Cache::census`](crate::Cache::census).
    Census,
    /// Throw the kill switch of this process, to [`Mode::On`] or [`Mode::Off`].
    Switch {
        /// Whether it is on then.
        on: bool,
        /// Which process is meant, as its frames name it; without, whichever the request reaches.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<String>,
    },
    /// Throw the kill switch of the fleet: [`Cache::switch_fleet`](crate::Cache::switch_fleet).
    SwitchFleet {
        /// Whether it is on then.
        on: bool,
    },
    /// Switch one key template in the fleet: [`Cache::switch_template`](crate::Cache::switch_template).
    SwitchTemplate {
        /// Which one.
        template: String,
        /// Whether it is on then.
        on: bool,
    },
    /// [`Cache::invalidate`](crate::Cache::invalidate)
    InvalidateKey {
        /// As it stands in the store, without the namespace.
        key: String,
    },
    /// [`Cache::invalidate_tag`](crate::Cache::invalidate_tag)
    InvalidateTag {
        /// As it is rendered.
        tag: String,
    },
    /// [`Cache::invalidate_pattern`](crate::Cache::invalidate_pattern)
    InvalidateUnder {
        /// What all the keys begin with, up to a `:`.
        prefix: String,
    },
    /// Invalidate all keys of a template that something is stored under in this program: each that begins like it, up to its first
    /// placeholder.
    InvalidateTemplate {
        /// Which one.
        template: String,
    },
    /// [`Cache::advance_epoch`](crate::Cache::advance_epoch)
    AdvanceEpoch,
    /// Something that is no action, no JSON, or too long. Nothing is done, whatever the answer: who may, is told what is wrong with it.
    #[serde(skip)]
    Unknown,
}

impl Action {
    /// Its name in the JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Inspect { .. } => "inspect",
            Self::Reveal { .. } => "reveal",
            Self::Census => "census",
            Self::Switch { .. } => "switch",
            Self::SwitchFleet { .. } => "switch_fleet",
            Self::SwitchTemplate { .. } => "switch_template",
            Self::InvalidateKey { .. } => "invalidate_key",
            Self::InvalidateTag { .. } => "invalidate_tag",
            Self::InvalidateUnder { .. } => "invalidate_under",
            Self::InvalidateTemplate { .. } => "invalidate_template",
            Self::AdvanceEpoch => "advance_epoch",
            Self::Unknown => "unknown",
        }
    }

    /// Whether something is another than before, once it is done.
    pub(super) const fn is_change(&self) -> bool {
        match self {
            Self::View
            | Self::Inspect { .. }
            | Self::Reveal { .. }
            | Self::Census
            | Self::Unknown => false,
            Self::Switch { .. }
            | Self::SwitchFleet { .. }
            | Self::SwitchTemplate { .. }
            | Self::InvalidateKey { .. }
            | Self::InvalidateTag { .. }
            | Self::InvalidateUnder { .. }
            | Self::InvalidateTemplate { .. }
            | Self::AdvanceEpoch => true,
        }
    }

    /// The mode that it switches to.
    pub(super) const fn mode(on: bool) -> Mode {
        if on { Mode::On } else { Mode::Off }
    }
}

/// Whether a request may do what it wants to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Allowed {
        /// Whose it is, for the [record](crate::Change::by).
        by: String,
    },
    /// It is not known whose it is: 401.
    Unauthenticated,
    /// It may not: 403.
    Forbidden,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unauthenticated,
    Forbidden,
    /// It comes from another site, or could.
    CrossSite,
    /// It comes from a page that another host has sent, as far as this service can tell.
    OtherHost,
    NoJson,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "who are you? This needs an authorization that the service accepts",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "not allowed: the service lets nobody do this, or not you (see `Dashboard::authorize`)",
            ),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "refused: the request does not come from the dashboard itself (it needs the header `x-cache-dashboard: 1`, and the \
                 same origin)",
            ),
            Self::OtherHost => (
                StatusCode::FORBIDDEN,
                "refused: the page comes from another host (header `origin`) than the one that this request asks. If that is a proxy in front \
                 of this service, let it pass the header `host` on as the browser sent it (nginx: `proxy_set_header Host $http_host`)",
            ),
            Self::NoJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "refused: an action is sent as `content-type: application/json`",
            ),
        };
        (status, Json(json!({ "error": error }))).into_response()
    }
}

/// Whether a request that changes something is one that only the page itself, or a program, can have sent.
///
/// A form of another site can send neither JSON nor a header; its script may send both, after the browser has asked this service whether it may
/// (CORS), which is never answered with yes here. Browsers that tell of the site are believed as well: no script can make them lie.
pub(super) fn is_own(request: &Parts) -> Result<(), Refusal> {
    let headers = &request.headers;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if !headers.contains_key("x-cache-dashboard") {
        return Err(Refusal::CrossSite);
    }
    match text("sec-fetch-site") {
        // The browser has compared the origins itself, and knows both; a proxy in between may have written another host.
        Some("same-origin") => {}
        // Sent over plain HTTP by no browser, and by none of some years ago.
        None | Some("none") if is_of_origin(request) => {}
        None | Some("none") => return Err(Refusal::OtherHost),
        Some(_) => return Err(Refusal::CrossSite),
    }
    let is_json = text(CONTENT_TYPE.as_str())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
    if is_json {
        Ok(())
    } else {
        Err(Refusal::NoJson)
    }
}

/// Whether the origin, where there is one, names the host that was asked.
fn is_of_origin(request: &Parts) -> bool {
    let Some(origin) = request.headers.get(ORIGIN) else {
        return true;
    };
    let host = request
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    // Over HTTP/2, it stands in the URI, and in no header.
    let host = host.or_else(|| request.uri.authority().map(Authority::as_str));
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}
