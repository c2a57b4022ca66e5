//! What may come in, and how much at once: the key before the body, bytes before parsing, connections and their patience.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{Request, header},
};
use chrono::TimeDelta;
use leadscore::{
    app::Settings,
    http::{body, listen},
    intake::ingest::jobs::ForgetRejected,
    platform::{core::Rejects, sweep::Sweep},
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::{Answer, TestApp, WRITE, run};

const KIBIBYTE: usize = 1024;
/// Longer than any test takes.
const LONG: Duration = Duration::from_mins(10);

/// A body of this many KiB, and how many of them were taken so far.
fn counted(kibibytes: usize) -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let parts = futures_util::stream::iter((0..kibibytes).map(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from_static(&[b' '; KIBIBYTE]))
    }));
    (Body::from_stream(parts), taken)
}

/// A body that begins with this many KiB and does not go on.
fn stalled(kibibytes: usize) -> Body {
    let begin =
        futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from(vec![b' '; kibibytes * KIBIBYTE]))]);
    Body::from_stream(futures_util::StreamExt::chain(begin, futures_util::stream::pending()))
}

/// The same service with other bounds on bodies.
async fn bounded(app: &TestApp, bodies: body::Limits) -> TestApp {
    app.instance_with(Settings { bodies, ..Settings::default() }).await
}

fn overloaded(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "overloaded".to_owned()), "{answer:?}");
    assert_eq!(answer.headers[header::RETRY_AFTER], "1");
}

#[tokio::test]
async fn who_sends_is_asked_before_the_body_is_read() {
    run(async |app| {
        let wrong = "Bearer wk_test_no_such_key_at_all";
        for (path, key, status) in [
            ("/v1/batch", Some(wrong), 401),
            ("/v1/t", Some(wrong), 401),
            ("/v1/batch?writeKey=wk_test_no_such_key_at_all", None, 401),
            ("/v1/events", Some(wrong), 401),
            ("/v1/events", None, 401),
            ("/v1/keys", Some(wrong), 401),
            ("/v1/models/check", Some(wrong), 401),
            ("/v1/hooks/sendgrid/nonsense", None, 404),
        ] {
            let (body, taken) = counted(100);
            let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
            if let Some(key) = key {
                request = request.header(header::AUTHORIZATION, key);
            }

            let answer = app.send(request.body(body).unwrap()).await;

            assert_eq!(answer.status, status, "{path}: {answer:?}");
            assert_eq!(taken.load(Ordering::Relaxed), 0, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_that_stands_in_the_body_is_looked_for_in_half_a_mebibyte_at_most() {
    run(async |app| {
        let (body, taken) = counted(2_000);

        let answer = app.send(Request::post("/v1/batch").body(body).unwrap()).await;

        assert_eq!((answer.status.as_u16(), answer.problem()), (401, "unauthorized".to_owned()));
        assert!(taken.load(Ordering::Relaxed) <= 513, "{} KiB were taken", taken.load(Ordering::Relaxed));
        let filler = " ".repeat(500 * KIBIBYTE);
        let body = format!(r#"{{"batch":[],{filler}"writeKey":"{WRITE}"}}"#);
        assert_eq!(app.send(Request::post("/v1/batch").body(body.into()).unwrap()).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_body_for_which_there_is_no_room_is_refused_and_the_room_comes_back() {
    run(async |app| {
        let limits = body::Limits { in_flight: 100 * KIBIBYTE, ..body::Limits::default() };
        let service = bounded(app, limits).await;
        let slow = {
            let service = service.clone();
            tokio::spawn(async move { service.post("/v1/events", stalled(60)).await })
        };
        while service.app.bodies.held() < 60 * KIBIBYTE {
            tokio::task::yield_now().await;
        }

        overloaded(&service.post("/v1/events", " ".repeat(60 * KIBIBYTE)).await);
        let zstd = [("content-encoding", "zstd")];
        overloaded(&service.post_with("/v1/events", &zstd, zstd::encode_all(&b"[]"[..], 0).unwrap()).await);
        assert_eq!(service.post("/v1/events", "[]").await.status, 200, "there is room for a small one");

        slow.abort();
        assert!(slow.await.unwrap_err().is_cancelled());
    })
    .await;
}

#[tokio::test]
async fn what_a_body_was_paid_with_is_given_back_once_it_is_answered() {
    run(async |app| {
        for body in [" ".repeat(60 * KIBIBYTE), "[".repeat(60 * KIBIBYTE), "[]".to_owned()] {
            app.post("/v1/events", body.clone()).await;
            app.post("/v1/keys", body).await;
        }
        app.post_with("/v1/events", &[("content-encoding", "gzip")], "no gzip").await;

        assert_eq!(app.app.bodies.held(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_to_be_sent_again() {
    run(async |app| {
        let short = Duration::from_millis(20);
        for limits in [
            body::Limits { whole: short, ..body::Limits::default() },
            body::Limits { silence: short, ..body::Limits::default() },
        ] {
            let service = bounded(app, limits).await;

            overloaded(&service.post("/v1/events", stalled(1)).await);

            service.app.shut_down().await;
        }
    })
    .await;
}

#[tokio::test]
async fn millions_of_small_items_are_refused_without_being_held() {
    run(async |app| {
        let many = format!("[{}[]]", "[],".repeat(3_000_000));

        for (path, body) in [
            ("/v1/events", many.clone()),
            ("/v1/batch", many.clone()),
            ("/v1/batch", format!(r#"{{"batch":{many}}}"#)),
        ] {
            let answer = app.post(path, body).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (413, "too_large".to_owned()));
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_lists_a_thousand_refused_items_and_counts_the_others() {
    run(async |app| {
        let answer = app.post("/v1/events", format!("[{}[]]", "[],".repeat(1_499))).await.json();

        assert_eq!(answer["rejected"].as_array().unwrap().len(), 1_000);
        assert_eq!(
            (&answer["rejected"][999]["index"], &answer["rejected_unlisted"]),
            (&json!(999), &json!(500))
        );
        assert_eq!(app.count("rejected_events").await, 100, "of one request so many are kept");
    })
    .await;
}

#[tokio::test]
async fn of_a_refused_item_little_is_kept_and_little_is_said() {
    run(async |app| {
        let long = "a".repeat(60_000);
        let answer = app.post("/v1/events", format!(r#"[{{"{long}":1}}]"#)).await.json();

        assert_eq!(answer["rejected"][0]["code"], "unknown_field");
        assert!(answer["rejected"][0]["detail"].as_str().unwrap().len() < 600, "{answer}");
        let kept: (i32, i32) = sqlx::query_as("select length(body), length(detail) from rejected_events")
            .fetch_one(&mut app.database.connect().await)
            .await
            .unwrap();
        assert!(kept.0 == 2048 && kept.1 < 600, "{kept:?}");
    })
    .await;
}

#[tokio::test]
async fn refused_items_are_forgotten_after_their_time_and_beyond_their_number() {
    run(async |app| {
        let refuse =
            async |items: usize| app.post("/v1/events", format!("[{}[]]", "[],".repeat(items - 1))).await;
        let settings =
            Settings { rejects: Rejects { most: 15, ..Rejects::default() }, ..Settings::default() };
        let few = app.instance_with(settings).await;
        refuse(10).await;
        app.advance(TimeDelta::days(1));
        refuse(10).await;

        assert_eq!(ForgetRejected::run_once(&few.app.intake).await.unwrap(), 5);
        assert_eq!(ForgetRejected::run_once(&few.app.intake).await.unwrap(), 0);
        app.advance(TimeDelta::days(30) - TimeDelta::hours(1));
        assert_eq!(ForgetRejected::run_once(&app.app.intake).await.unwrap(), 5, "those of the first day");
        assert_eq!(app.count("rejected_events").await, 10);
        few.app.shut_down().await;
    })
    .await;
}

/// Serves the application on a port with these bounds until the token is cancelled.
async fn listening(app: &TestApp, limits: listen::Limits) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    tokio::spawn(listen::serve(listener, app.router.clone(), limits, stop.clone()));
    (address, stop)
}

/// What comes on a connection until the service closes it.
async fn heard(mut stream: TcpStream) -> String {
    let read = move || {
        let mut said = Vec::new();
        // One that is cut off has been closed too.
        let _ = stream.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

const PATIENT: listen::Limits = listen::Limits { connections: 100, head: LONG, idle: LONG };
const SHORT: Duration = Duration::from_millis(40);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_beyond_the_limit_is_told_to_come_again() {
    run(async |app| {
        let (address, stop) = listening(app, listen::Limits { connections: 1, ..PATIENT }).await;
        let mut first = TcpStream::connect(address).unwrap();
        first.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut begun = [0; 15];
        first.read_exact(&mut begun).unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200 OK");

        let said = heard(TcpStream::connect(address).unwrap()).await;

        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 1"), "{said}");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{said}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["code"], "overloaded");
        stop.cancel();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_sends_no_request_or_half_of_one_is_closed() {
    run(async |app| {
        let (idle, stop_idle) = listening(app, listen::Limits { idle: SHORT, ..PATIENT }).await;
        let (slow, stop_slow) = listening(app, listen::Limits { head: SHORT, ..PATIENT }).await;
        let (either, stop_either) =
            listening(app, listen::Limits { head: SHORT, idle: SHORT, ..PATIENT }).await;
        let begin = |address, said: &[u8]| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(said).unwrap();
            stream
        };

        assert_eq!(heard(begin(idle, b"")).await, "");
        let kept_alive = heard(begin(idle, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert!(kept_alive.starts_with("HTTP/1.1 200 "), "{kept_alive}");
        let http2 = heard(begin(either, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).await;
        assert!(!http2.is_empty(), "its settings were told");
        assert_eq!(heard(begin(slow, b"GET /livez HTTP/1.1\r\nHost: ")).await, "");
        stop_idle.cancel();
        stop_slow.cancel();
        stop_either.cancel();
    })
    .await;
}
