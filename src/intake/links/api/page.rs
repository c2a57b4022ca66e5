//! The pages that recipients of mails see.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// The page that asks for confirmation, with one button.
pub(super) fn ask() -> Response {
    let button = "<form method=\"post\"><input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
        <button>Unsubscribe</button></form>";
    page(StatusCode::OK, "Unsubscribe", &format!("<p>Do you want to stop getting these e-mails?</p>{button}"))
}

/// The page after unsubscribing.
pub(super) fn done() -> Response {
    page(StatusCode::OK, "Unsubscribed", "<p>You will not get these e-mails any more.</p>")
}

/// The page of a link that is not valid.
pub(super) fn broken() -> Response {
    let said =
        "<p>This link is incomplete or no longer valid. Copy the whole link from the e-mail again.</p>";
    page(StatusCode::NOT_FOUND, "This link does not work", said)
}

fn page(status: StatusCode, title: &str, said: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
        <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
        <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}\
        button{{font:inherit;padding:.5rem 1.5rem}}</style></head><body><h1>{title}</h1>{said}</body></html>"
    );
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (status, headers, html).into_response()
}
