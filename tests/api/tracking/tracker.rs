//! The tracker for web pages, as it is served; what it does is tested in a browser.

use std::io::Read;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use flate2::read::GzDecoder;

use crate::harness::{Answer, TestApp, run};

/// How large it may be on the wire, in bytes.
const LARGEST: usize = 4 * 1024;
const PATH: &str = "/analytics.js/v1/wk_any_key_at_all/analytics.min.js";

async fn fetch(app: &TestApp, encodings: &str) -> Answer {
    let request = Request::get(PATH).header(header::ACCEPT_ENCODING, encodings);
    app.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn the_tracker_is_at_most_four_kibibytes_on_the_wire() {
    run(async |app| {
        let (plain, compressed) = (fetch(app, "identity").await, fetch(app, "br, gzip").await);

        assert_eq!(compressed.headers[header::CONTENT_ENCODING], "gzip");
        assert!(compressed.body.len() <= LARGEST, "{} bytes", compressed.body.len());
        let mut unpacked = Vec::new();
        GzDecoder::new(compressed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body);
        assert_eq!(plain.headers.get(header::CONTENT_ENCODING), None);
    })
    .await;
}

#[tokio::test]
async fn the_tracker_is_a_script_that_every_page_may_load_and_every_proxy_may_keep() {
    run(async |app| {
        let answer = fetch(app, "").await;

        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "public, max-age=3600");
        assert_eq!(answer.headers["cross-origin-resource-policy"], "cross-origin");
        let vary = answer.headers.get_all(header::VARY).iter();
        assert!(
            vary.into_iter().any(|vary| vary == "Accept-Encoding"),
            "or a cache would mix up the two forms"
        );
    })
    .await;
}

#[tokio::test]
async fn the_tracker_is_its_source_without_comments_and_indentation() {
    run(async |app| {
        let source = include_str!("../../../src/intake/tracking/api/tracker.js");
        let kept: Vec<&str> = source
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .collect();

        let served = String::from_utf8(fetch(app, "identity").await.body).unwrap();

        assert_eq!(served.lines().collect::<Vec<_>>(), kept);
        // A comment's beginning, or a space, within a text that spans lines would be lost.
        assert!(!source.contains('`') && !source.contains("/*"), "no text or comment spans lines");
    })
    .await;
}
