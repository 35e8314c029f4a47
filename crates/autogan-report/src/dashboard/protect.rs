//! [`protect()`] adds headers for security to every answer, and refuses some requests.
//!
//! The page may load and run only what this server serves. A request under another host's name is
//! refused: a page elsewhere could have its own name resolve to this machine (DNS rebinding) and
//! would then be read as one of ours. A request that a page of another site makes is refused, too,
//! as the browser itself says which those are; a link to the dashboard's first page may be followed.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The header by which a browser says which site a request comes from.
const SITE: &str = "sec-fetch-site";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Refuses requests for other hosts and those of other sites; adds the headers to every answer.
pub async fn protect(request: Request, next: Next) -> Response {
    let mut response = if !is_local(&request) {
        let why = "this dashboard answers only to the names 127.0.0.1 and localhost\n";
        (StatusCode::MISDIRECTED_REQUEST, why).into_response()
    } else if !is_own(&request) {
        let why = "this dashboard answers only to its own page, not to that of another site\n";
        (StatusCode::FORBIDDEN, why).into_response()
    } else {
        next.run(request).await
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether the request was made under a name that only this machine has; with any port, so that a
/// forwarded port works.
fn is_local(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    let named = request.uri().host();
    local_name(host) && named.is_none_or(local_name)
}

/// Whether the request comes from the dashboard's own page, from the address bar, or from no browser; or is a link to the
/// page that somebody follows. Any other site, and another port of this machine, is foreign.
fn is_own(request: &Request) -> bool {
    let headers = request.headers();
    let says = |name: &str, word: &str| {
        headers.get(name).is_some_and(|value| value.as_bytes() == word.as_bytes())
    };
    let unsaid = !headers.contains_key(SITE);
    let own = unsaid || says(SITE, "same-origin") || says(SITE, "none");
    let followed = request.uri().path() == "/"
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document");
    (own || followed) && origin_is_own(headers)
}

/// Whether the header `Origin`, where there is one, names the server that was asked.
fn origin_is_own(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    headers.get_all(ORIGIN).iter().all(|origin| {
        let origin = origin.as_bytes();
        // A forwarded port may be served by TLS.
        let name = origin.strip_prefix(b"http://").or(origin.strip_prefix(b"https://"));
        name.is_some() && name == host
    })
}

fn local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) => return false,
        None => host,
    };
    name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_s_names_pass() {
        for host in ["127.0.0.1", "127.0.0.1:8765", "localhost:1", "LOCALHOST"] {
            assert!(local_name(host), "{host}");
        }
        for host in [
            "",
            ":8765",
            "evil.example",
            "localhost.evil.example:8765",
            "127.0.0.1.evil.example",
            "127.0.0.1:8765@evil.example",
            "evil.example:localhost",
            "0.0.0.0:8765",
            "[::1]:8765",
        ] {
            assert!(!local_name(host), "{host}");
        }
    }
}
