//! Events in our own shape.

use leadscore::http::body::LARGEST_BODY;
use serde_json::json;

use super::{
    EVENT, SMALL, Worst,
    filling::{agents, array, escapes, filled, keys, nested, numbers, of_properties, zeros},
};

pub(super) fn all() -> Vec<Worst> {
    [many(), special(), single()].concat()
}

/// As many events as a body may hold, each with these properties.
fn many() -> Vec<Worst> {
    let of =
        |name, properties: String| Worst::post(name, "/v1/events", of_properties(&properties, LARGEST_BODY));
    vec![
        of("events: 10 000 of numbers", zeros(1_000)),
        of("events: 10 000 of names", keys(1_000)),
        of("events: 64 KiB each of small numbers", zeros(EVENT)),
        of("events: 64 KiB each of exponents", numbers(EVENT)),
        of("events: 64 KiB each of names", keys(EVENT)),
        of("events: 64 KiB each of escapes", escapes(EVENT)),
        of("events: 64 KiB each of deep arrays", nested(EVENT)),
        Worst::post("events: 64 KiB each of user agent", "/v1/events", agents(EVENT, LARGEST_BODY)),
    ]
}

/// Bodies that are heavy by what they say of people, by their mistakes, or by how they are packed.
fn special() -> Vec<Worst> {
    let mistakes = format!("{{\"{}\":1}}\n", "x".repeat(1_000)).repeat(10_000);
    let small = filled("[", |_| "0".to_owned(), "]", LARGEST_BODY);
    let packed = zstd::encode_all(of_properties(&zeros(1_000), LARGEST_BODY).as_bytes(), 3).expect("zstd");
    vec![
        Worst::post("events: 8 000 identifies", "/v1/events", identifies()),
        Worst::post("events: names to be found by", "/v1/events", names()),
        Worst::post("events: 10 000 mistakes, a line each", "/v1/events", mistakes)
            .with("content-type", "application/x-ndjson"),
        Worst::post("events: too many, small ones", "/v1/events", small),
        Worst::post("events: 10 MiB in zstd", "/v1/events", packed).with("content-encoding", "zstd"),
    ]
}

fn identifies() -> String {
    array(8_000, |n| {
        let traits = json!({"name": "Łukasz Ó Briain", "company": {"name": "Ünïted Çompany", "domain": "xn--bcher-kva.example"},
            "phone": "+49 30 901820", "email": format!("jane{n}@bücher{}.example", n % 50)});
        json!({"type": "identify", "lead": {"user_id": format!("i{}", n % 500)}, "traits": traits})
            .to_string()
    })
}

fn names() -> String {
    let named = |n: usize| {
        let traits = json!({"name": "É\u{301} \u{fb01} xn--a".repeat(2_000), "company": format!("xn--{}", "a".repeat(20_000))});
        json!({"type": "identify", "lead": {"user_id": format!("n{n}")}, "traits": traits}).to_string()
    };
    filled("[", named, "]", LARGEST_BODY)
}

/// One event each, as large as a body may be that is read on the spot.
fn single() -> Vec<Worst> {
    let one = |name, properties: String| {
        let whole = of_properties(&properties, SMALL);
        assert!(whole.len() > SMALL / 2, "{name} is not one event");
        Worst::post(name, "/v1/events", whole)
    };
    vec![
        one("one event of 32 KiB: small numbers", zeros(SMALL - 200)),
        one("one event of 32 KiB: exponents", numbers(SMALL - 200)),
        one("one event of 32 KiB: names", keys(SMALL - 200)),
        one("one event of 32 KiB: deep arrays", nested(SMALL - 200)),
        Worst::post("one event of 32 KiB: user agent", "/v1/events", agents(SMALL - 200, SMALL)),
    ]
}
