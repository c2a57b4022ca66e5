//! Bodies as a whole: encodings, sizes, and what is no list of items at all.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::body::{Body, Bytes};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::harness::run;

const MEBIBYTE: usize = 1024 * 1024;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn event() -> Vec<u8> {
    json!({"type": "trial_started", "lead": {"user_id": "u1"}}).to_string().into_bytes()
}

#[tokio::test]
async fn a_body_may_be_compressed_with_gzip_or_zstd() {
    run(async |app| {
        let zstd = zstd::encode_all(event().as_slice(), 0).unwrap();
        for (encoding, body) in [("gzip", gzip(&event())), ("zstd", zstd), ("identity", event())] {
            for path in ["/v1/events", "/v1/track"] {
                let answer = app.post_with(path, &[("content-encoding", encoding)], body.clone()).await;
                assert_eq!(answer.status, 200, "{encoding} {path} {answer:?}");
            }
        }
        assert_eq!(app.count("event").await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_body_of_several_compressed_members_is_read_to_its_end() {
    run(async |app| {
        let ndjson = ("content-type", "application/x-ndjson");
        let line = [event(), b"\n".to_vec()].concat();
        let zstd = zstd::encode_all(line.as_slice(), 0).unwrap();
        for (encoding, member) in [("gzip", gzip(&line)), ("zstd", zstd)] {
            let headers = [("content-encoding", encoding), ndjson];

            let answer = app.post_with("/v1/events", &headers, member.repeat(3)).await;

            assert_eq!(answer.json()["accepted"], 3, "{encoding}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_zstd_body_that_claims_a_window_beyond_8_mebibytes_is_refused() {
    run(async |app| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&event()).unwrap();
        let body = encoder.finish().unwrap();

        let answer = app.post_with("/v1/events", &[("content-encoding", "zstd")], body).await;

        assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid_body".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn an_encoding_that_is_not_taken_is_a_415() {
    run(async |app| {
        for encoding in ["br", "deflate", "gzip, gzip", "nonsense"] {
            let answer = app.post_with("/v1/events", &[("content-encoding", encoding)], gzip(&event())).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (415, "unsupported_media_type".to_owned())
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_compressed_body_that_is_cut_off_or_none_at_all_is_a_400() {
    run(async |app| {
        let whole = gzip(&event());
        let zstd = zstd::encode_all(event().as_slice(), 0).unwrap();
        for (encoding, body) in [
            ("gzip", &whole[..whole.len() / 2]),
            ("gzip", &whole[..whole.len() - 1]),
            ("gzip", &event()),
            ("zstd", &zstd[..zstd.len() / 2]),
            ("zstd", b"not zstd"),
        ] {
            for path in ["/v1/events", "/v1/batch"] {
                let answer = app.post_with(path, &[("content-encoding", encoding)], body.to_vec()).await;
                assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid_body".to_owned()));
            }
        }
        assert_eq!(app.count("event").await, 0);
    })
    .await;
}

#[tokio::test]
async fn gzip_within_gzip_is_unpacked_once_and_is_no_json_then() {
    run(async |app| {
        let body = gzip(&gzip(&event()));

        let answer = app.post_with("/v1/events", &[("content-encoding", "gzip")], body).await;

        assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid_body".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_bomb_is_refused_before_more_than_ten_mebibytes_of_it_are_unpacked() {
    run(async |app| {
        // Each part unpacks to one MiB; all of them together would to 10 GiB.
        let part = Bytes::from(gzip(&vec![b' '; MEBIBYTE]));
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let parts = futures_util::stream::iter((0..10_000).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(part.clone())
        }));

        let answer =
            app.post_with("/v1/events", &[("content-encoding", "gzip")], Body::from_stream(parts)).await;

        assert_eq!((answer.status.as_u16(), answer.problem()), (413, "too_large".to_owned()), "{answer:?}");
        assert!(taken.load(Ordering::Relaxed) <= 12, "{} parts were taken", taken.load(Ordering::Relaxed));
    })
    .await;
}

#[tokio::test]
async fn a_bomb_of_zstd_is_refused_too() {
    run(async |app| {
        let body = zstd::encode_all(vec![b' '; 64 * MEBIBYTE].as_slice(), 3).unwrap();

        for path in ["/v1/events", "/v1/batch", "/v1/models/check", "/v1/models/evaluate", "/v1/keys"] {
            let headers = [("content-encoding", "zstd"), ("content-type", "application/json")];
            let answer = app.post_with(path, &headers, body.clone()).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (413, "too_large".to_owned()), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_plain_body_above_ten_mebibytes_is_a_413() {
    run(async |app| {
        let answer = app.post("/v1/events", vec![b' '; 10 * MEBIBYTE + 1]).await;

        assert_eq!((answer.status.as_u16(), answer.problem()), (413, "too_large".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_items_are_looked_at_and_one_more_is_too_many() {
    run(async |app| {
        let array = |items: usize| format!("[{}]", vec!["0"; items].join(","));
        let lines = |items: usize| "0\n".repeat(items);

        let answer = app.post("/v1/events", array(10_000)).await.json();
        assert_eq!(
            (&answer["rejected"][0]["index"], &answer["rejected_unlisted"]),
            (&json!(0), &json!(9_000))
        );

        let ndjson = [("content-type", "application/x-ndjson")];
        for answer in [
            app.post("/v1/events", array(10_001)).await,
            app.post_with("/v1/events", &ndjson, lines(10_001)).await,
            app.post("/v1/batch", array(10_001)).await,
            app.post("/v1/batch", format!(r#"{{"batch":{}}}"#, array(10_001))).await,
        ] {
            assert_eq!((answer.status.as_u16(), answer.problem()), (413, "too_large".to_owned()));
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_body_is_told_what_was_expected() {
    run(async |app| {
        for body in ["", "   ", "\u{feff}"] {
            for path in ["/v1/events", "/v1/batch", "/v1/models/check"] {
                let answer = app.post(path, body).await;
                assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid_body".to_owned()));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_list_is_taken_and_holds_nothing() {
    run(async |app| {
        let ndjson = [("content-type", "application/x-ndjson")];
        let nothing = json!({"accepted": 0, "duplicates": 0, "rejected": []});
        assert_eq!(app.post("/v1/events", "[]").await.json(), nothing);
        assert_eq!(app.post_with("/v1/events", &ndjson, "\n\n").await.json(), nothing);
        assert_eq!(app.post("/v1/batch", r#"{"batch":[]}"#).await.json()["accepted"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_one_value_but_no_event_is_one_refused_item() {
    run(async |app| {
        for body in ["null", "7", "\"text\"", "false"] {
            let answer = app.post("/v1/events", body).await.json();
            assert_eq!(answer["rejected"][0]["code"], "invalid_event", "{body}: {answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn brackets_a_hundred_thousand_deep_crash_nothing() {
    run(async |app| {
        let deep = "[".repeat(100_000);
        let closed = format!("{deep}{}", "]".repeat(100_000));
        for path in ["/v1/events", "/v1/batch", "/v1/models/check", "/v1/models/evaluate", "/v1/keys"] {
            for body in [&deep, &closed, &format!(r#"{{"model":{closed}}}"#), &"{\"a\":".repeat(100_000)] {
                let answer = app.post(path, body.clone()).await;
                assert!(
                    answer.status.as_u16() == 200 || answer.status.is_client_error(),
                    "{path} {answer:?}"
                );
            }
        }
        let yaml = [("content-type", "application/yaml")];
        for body in [deep.clone(), closed, "- ".repeat(100_000), "? ".repeat(100_000)] {
            let answer = app.post_with("/v1/models/check", &yaml, body).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid_body".to_owned()));
        }
    })
    .await;
}

#[tokio::test]
async fn ndjson_is_known_by_its_media_type_in_any_spelling() {
    run(async |app| {
        let lines = [event(), event()].join(&b'\n');
        for kind in ["application/x-ndjson", "Application/X-NDJSON; charset=utf-8", "application/jsonl"] {
            let answer = app.post_with("/v1/events", &[("content-type", kind)], lines.clone()).await;
            assert_eq!(answer.json()["accepted"], 2, "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_line_of_ndjson_that_is_no_utf8_sinks_only_itself() {
    run(async |app| {
        let lines = [event(), b"{\"type\":\"\xff\"}".to_vec(), event()].join(&b'\n');

        let answer =
            app.post_with("/v1/events", &[("content-type", "application/x-ndjson")], lines).await.json();

        assert_eq!(
            (&answer["accepted"], &answer["rejected"][0]["code"]),
            (&json!(2), &json!("invalid_utf8"))
        );
        assert_eq!(answer["rejected"][0]["index"], 1);
    })
    .await;
}
