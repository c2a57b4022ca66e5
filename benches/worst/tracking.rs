//! Messages of the tracking API.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use leadscore::http::body::LARGEST_BODY;

use super::{
    ADMIN, EVENT, QUERY, Worst,
    filling::{filled, keys},
};

pub(super) fn all() -> Vec<Worst> {
    [batches(), forms(), pixels()].concat()
}

fn batches() -> Vec<Worst> {
    let digits = "9".repeat(500);
    let wide = format!("{{{}}}", keys(1_000));
    let url = format!("https://acme.example/{}?{}", "ä/".repeat(500), "utm_source=a&".repeat(EVENT / 16));
    let page = format!(r#"{{"type":"page","userId":"w1","properties":{{"url":"{url}"}}}}"#);
    let numbered = |n: usize| {
        format!(r#"{{"type":"page","userId":{n}.{digits},"messageId":1e{},"name":"{digits}"}}"#, n % 600)
    };
    vec![
        batch("batch: 10 000 tracks", |n| track(&"Page Seen ".repeat(100), n), "null"),
        batch("batch: names of events of 64 KiB", |n| track(&"ÄbC ".repeat(EVENT / 5), n), "null"),
        batch("batch: ids that are numbers", numbered, "null"),
        batch("batch: a context for each of 9 000", |n| track(&"a".repeat(1_060), n), &wide),
        sent_long(),
        batch("batch: pages with addresses of 64 KiB", |_| page.clone(), "null"),
    ]
}

/// As many messages as a body may hold, with a context for all of them.
fn batch(name: &'static str, message: impl Fn(usize) -> String, context: &str) -> Worst {
    let body = filled(&format!(r#"{{"context":{context},"batch":["#), message, "]}", LARGEST_BODY);
    Worst::post(name, "/v1/batch", body)
}

fn track(event: &str, n: usize) -> String {
    format!(r#"{{"type":"track","userId":"w{}","event":"{event}"}}"#, n % 100)
}

fn sent_long() -> Worst {
    let open = format!(r#"{{"sentAt":"{}","batch":["#, "a".repeat(LARGEST_BODY / 2));
    let body = filled(&open, |n| track(&"a".repeat(500), n), "]}", LARGEST_BODY);
    Worst::post("batch: a long time of sending", "/v1/batch", body)
}

fn forms() -> Vec<Worst> {
    let form = format!("data={}", "%7B".repeat(LARGEST_BODY / 3 - 10));
    let mut parts = String::new();
    for n in 0..1_000 {
        let head = format!("--x\r\nContent-Disposition: form-data; name=\"k{n}\"\r\n\r\n");
        let _ = write!(parts, "{head}{}\r\n", "a".repeat(10_000));
    }
    parts.push_str("--x--\r\n");
    vec![
        Worst::post("batch: a form", &format!("/v1/batch?writeKey={ADMIN}"), form)
            .with("content-type", "application/x-www-form-urlencoded"),
        Worst::post("batch: a form in parts", "/v1/batch", parts)
            .with("content-type", "multipart/form-data; boundary=x"),
    ]
}

fn pixels() -> Vec<Worst> {
    let data =
        STANDARD.encode(format!(r#"{{"userId":"w1","event":"a","properties":{{{}}}}}"#, keys(QUERY / 2)));
    let plain = filled("", |n| format!("properties.{n}=0"), "", QUERY).replace(',', "&");
    vec![
        Worst::get(
            "pixel: 30 KiB of names in base64",
            format!("/v1/pixel/track?writeKey={ADMIN}&data={data}"),
        ),
        Worst::get(
            "pixel: 3 000 parameters",
            format!("/pixel/v1/track?writeKey={ADMIN}&userId=w1&event=a&{plain}"),
        ),
    ]
}
