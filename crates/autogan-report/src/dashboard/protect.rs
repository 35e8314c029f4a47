//! [`protect()`] adds headers for security to every answer, and refuses some requests.
//!
//! The page may load and run only what this server serves. A request under another host's name is
//! refused: a page elsewhere could have its own name resolve to this machine (DNS rebinding) and
//! would then be read as one of ours.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{HOST, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

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

/// Refuses requests for other hosts; adds the headers to every answer.
pub async fn protect(request: Request, next: Next) -> Response {
    let mut response = if is_local(&request) {
        next.run(request).await
    } else {
        let why = "this dashboard answers only to the names 127.0.0.1 and localhost\n";
        (StatusCode::MISDIRECTED_REQUEST, why).into_response()
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
