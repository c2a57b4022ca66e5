//! Random models and logs, small enough that rules, windows and limits meet often.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use scoring::condition::Condition;
use scoring::{Event, Instant, Verdict};
use serde_json::{Map, Value, json};

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000_000;
const HOUR: i64 = 3_600_000_000;
pub(crate) const DAY: i64 = 24 * HOUR;

fn span() -> impl Strategy<Value = Value> {
    select(vec!["1h", "6h", "1d", "3d", "7d", "30d"]).prop_map(Value::from)
}

fn points() -> impl Strategy<Value = Value> {
    select(vec![
        json!(10),
        json!(-5),
        json!(3.125),
        json!(0.5),
        json!(-12.345),
        json!(25),
        json!(0),
        json!(0.001),
    ])
}

fn types() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => select(vec!["page_viewed", "form_submitted", "email_clicked", "email_delivered"]).prop_map(Value::from),
        1 => Just(json!(["page_viewed", "demo_requested"])),
        1 => Just(json!(["score_adjusted", "identify"])),
    ]
}

fn condition(field: &'static str) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0..3).prop_map(move |n| json!({"field": field, "eq": n})),
        (0..3).prop_map(move |n| json!({"field": field, "gte": n})),
        Just(json!({"field": "company.a", "in": ["x", 1]})),
        Just(json!({"field": field, "not_in": [0, "x"]})),
        any::<bool>().prop_map(move |exists| json!({"field": field, "exists": exists})),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|all| json!({"all": all})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({"any": any})),
            inner.prop_map(|not| json!({"not": not})),
        ]
    })
    .prop_filter("a condition that can be met", |condition| Condition::parse(condition).is_ok())
}

/// A condition on what was derived from an address.
fn on_address() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        select(vec!["work", "free"]).prop_map(|kind| json!({"field": "derived.email_kind", "eq": kind})),
        Just(json!({"field": "derived.email_kind", "ne": "work"})),
        Just(json!({"field": "derived.email_kind", "exists": false})),
        Just(json!({"field": "derived.email_valid", "eq": false})),
    ];
    (kind, condition("size"), any::<bool>())
        .prop_map(|(kind, size, both)| if both { json!({"any": [kind, size]}) } else { kind })
}

fn decay() -> impl Strategy<Value = Value> {
    prop_oneof![
        (span(), select(vec![0.0, 0.5, 0.75, 0.977]))
            .prop_map(|(every, keep)| json!({"curve": "compound", "every": every, "keep": keep})),
        (span(), select(vec![0.1, 0.333, 1.0]))
            .prop_map(|(every, lose)| json!({"curve": "linear", "every": every, "lose": lose})),
        span().prop_map(|half_life| json!({"curve": "half_life", "half_life": half_life})),
    ]
}

fn with(mut object: Value, keys: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    for (key, value) in keys {
        if let Some(value) = value {
            object[key] = value;
        }
    }
    object
}

fn limit() -> impl Strategy<Value = Value> {
    (1..4, option::of(span())).prop_map(|(count, per)| with(json!({"count": count}), [("per", per)]))
}

fn kind() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => prop_oneof![condition("size"), on_address()].prop_map(|when| json!({"when": when})),
        4 => (types(), option::of(condition("n")), option::of(span()), option::of(limit()), option::of(decay()))
            .prop_map(|(event, condition, window, limit, decay)| {
                let keys = [("where", condition), ("window", window), ("limit", limit), ("decay", decay)];
                with(json!({"event": event}), keys)
            }),
        2 => (types(), 1..4, option::of(span()), option::of(condition("n"))).prop_map(
            |(event, count, within, condition)| {
                let at_least = with(json!({"count": count}), [("within", within)]);
                with(json!({"event": event, "at_least": at_least}), [("where", condition)])
            }
        ),
        1 => (span(), option::of((span(), 1..4))).prop_map(|(quiet_for, repeat)| {
            let repeat = repeat.map(|(every, times)| json!({"every": every, "times": times}));
            json!({"inactive": with(json!({"for": quiet_for}), [("repeat", repeat)])})
        }),
    ]
}

fn caps() -> impl Strategy<Value = (Option<Value>, Option<Value>)> {
    let cap = |caps: Vec<Value>| prop_oneof![3 => Just(None), 1 => select(caps).prop_map(Some)];
    (cap(vec![json!(-20), json!(-3), json!(0)]), cap(vec![json!(0), json!(8), json!(30.5)]))
}

fn group() -> impl Strategy<Value = Value> {
    let rule = (kind(), points(), caps()).prop_map(|(kind, points, (min, max))| {
        with(kind, [("points", Some(points)), ("min", min), ("max", max)])
    });
    let weight = option::of(select(vec![json!(0), json!(0.333), json!(2)]));
    (prop::collection::vec(rule, 0..4), any::<bool>(), caps(), weight).prop_map(
        |(mut rules, best, (min, max), weight)| {
            for (i, rule) in rules.iter_mut().enumerate() {
                rule["name"] = json!(format!("rule {i}"));
            }
            let take = if best { "best" } else { "sum" };
            with(json!({"rules": rules, "take": take}), [("min", min), ("max", max), ("weight", weight)])
        },
    )
}

fn dimension(name: &'static str) -> impl Strategy<Value = Value> {
    prop::collection::vec(group(), 0..4).prop_map(move |mut groups| {
        for (i, group) in groups.iter_mut().enumerate() {
            group["name"] = json!(format!("{name} {i}"));
        }
        json!({"min": -40, "max": 60.5, "groups": groups})
    })
}

/// A model document without mistakes.
pub(crate) fn model() -> impl Strategy<Value = Value> {
    (dimension("fit"), dimension("engagement")).prop_map(|(fit, engagement)| {
        let scale = json!([{"label": "A", "from": 20}, {"label": "B", "from": 2.5}, {"label": "C"}]);
        json!({
            "name": "random",
            "score": {"min": -10, "max": 90},
            "dimensions": {"fit": fit, "engagement": engagement},
            "grades": {"fit": scale, "engagement": scale},
            "bands": scale,
            "hand_raise": ["demo_requested"],
        })
    })
}

/// An event with the times at which it arrives: one or, duplicated, two.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) event: Event,
    pub(crate) at: Vec<i64>,
}

/// Often on the half hour and a microsecond from it, so that edges are met; otherwise anywhere in sixty days.
fn occurred_at() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => (0..60_i64, -1..=1_i64).prop_map(|(day, off)| START + day * DAY + off),
        2 => (0..2_880_i64, -1..=1_i64).prop_map(|(tick, off)| START + tick * HOUR / 2 + off),
        1 => START..START + 60 * DAY,
    ]
}

fn delay() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0), 2 => 0..2 * DAY, 1 => 0..60 * DAY]
}

/// The traits of an event that says an address, with what a service derives from it.
fn address() -> impl Strategy<Value = Value> {
    let said = |email: Value, kind: Value, valid: Value| json!({"email": email, "derived": {"email_kind": kind, "email_valid": valid}});
    select(vec![
        said(json!("jane@acme.example"), json!("work"), json!(true)),
        said(json!("jane@gmail.com"), json!("free"), json!(true)),
        said(json!("jane"), json!(null), json!(false)),
        said(json!(null), json!(null), json!(null)),
    ])
}

/// A type with properties and traits that suit it.
fn content() -> impl Strategy<Value = (&'static str, Value, Option<Value>)> {
    let size =
        prop_oneof![(0..3).prop_map(Value::from), Just(Value::Null), Just(json!("x")), Just(json!(" 1 "))];
    prop_oneof![
        16 => (
            select(vec!["page_viewed", "form_submitted", "email_clicked", "email_delivered", "demo_requested"]),
            0..4,
        )
            .prop_map(|(kind, n)| (kind, if n == 3 { json!({}) } else { json!({"n": n}) }, None)),
        3 => (size, option::of(address()), option::of(company())).prop_map(|(size, address, company)| {
            let said = with(address.unwrap_or(json!({})), [("size", Some(size)), ("company", company)]);
            ("identify", json!({}), Some(said))
        }),
        1 => Just(("engagement_reset", json!({"reason": "lost"}), None)),
        1 => Just(("do_not_contact_requested", json!({}), None)),
        2 => (points(), option::of(occurred_at())).prop_map(|(points, expires_at)| {
            let expires_at = expires_at.map(|at| json!(Instant::from_micros(at)));
            ("score_adjusted", with(json!({"points": points, "reason": "r"}), [("expires_at", expires_at)]), None)
        }),
    ]
}

/// What is said of a company.
pub(crate) fn company() -> impl Strategy<Value = Value> {
    let value = || select(vec![json!(null), json!(1), json!("1"), json!("x"), json!({"c": 1})]);
    prop_oneof![
        4 => prop::collection::btree_map("[ab]", value(), 0..3).prop_map(|keys| json!(keys)),
        1 => select(vec![json!(null), json!("Acme"), json!("Beta"), json!([1])]),
    ]
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A log with the arrivals of its events, some late, some twice.
pub(crate) fn log() -> impl Strategy<Value = Vec<Arrival>> {
    let verdict = prop_oneof![
        8 => Just(Verdict::Human),
        1 => Just(Verdict::Suspect),
        1 => Just(Verdict::Machine),
    ];
    let second = prop_oneof![5 => Just(None), 1 => delay().prop_map(Some)];
    let entry = (content(), occurred_at(), verdict, delay(), second);
    prop::collection::vec(entry, 0..30).prop_map(|entries| {
        let arrivals =
            entries.into_iter().enumerate().map(|(i, (content, occurred_at, verdict, delay, second))| {
                let (kind, properties, traits) = content;
                let event = Event {
                    id: format!("e{i}"),
                    kind: kind.to_owned(),
                    occurred_at: Instant::from_micros(occurred_at),
                    verdict,
                    properties: object(properties),
                    traits: traits.map(object),
                };
                let at =
                    [Some(delay), second].into_iter().flatten().map(|delay| occurred_at + delay).collect();
                Arrival { event, at }
            });
        arrivals.collect()
    })
}
