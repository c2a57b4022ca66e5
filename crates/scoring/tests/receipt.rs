//! What a receipt says.

use scoring::receipt::LineKind::{self, Adjustment, DimensionClamp, GroupBest, GroupClamp, Rounding, Rule};
use scoring::receipt::LineKind::{RuleClamp, ScoreClamp, Weight};
use scoring::{Event, Instant, Model, evaluate};
use serde_json::{Map, Value, json};

fn model() -> Model {
    let document = json!({
        "name": "all corrections",
        "score": {"min": 0, "max": 25},
        "dimensions": {
            "fit": {"min": 0, "max": 10, "groups": [{"name": "who", "take": "best", "rules": [
                {"name": "lead", "when": {"field": "title", "contains": "lead"}, "points": 12.25},
                {"name": "spanish", "when": {"field": "country", "eq": "ES"}, "points": 4},
            ]}]},
            "engagement": {"min": 0, "max": 60, "groups": [{"name": "web", "max": 15, "weight": 0.5, "rules": [
                {"name": "visits", "event": "page_viewed", "points": 10, "max": 18,
                 "decay": {"curve": "linear", "every": "1d", "lose": 0.1}},
                {"name": "often", "event": "page_viewed", "at_least": {"count": 2}, "points": 1},
                {"name": "quiet", "inactive": {"for": "2d"}, "points": -1},
            ]}]},
        },
        "grades": {"fit": [{"label": "A"}], "engagement": [{"label": "1"}]},
        "bands": [{"label": "all"}],
    });
    Model::parse(&document).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn events() -> Vec<Event> {
    let events = json!([
        {"id": "v1", "type": "page_viewed", "occurred_at": "2026-01-02T12:00:00Z"},
        {"id": "v2", "type": "page_viewed", "occurred_at": "2026-01-03T00:00:00Z"},
        {"id": "a", "type": "score_adjusted", "occurred_at": "2026-01-01T00:00:00Z", "properties": {"points": 0.1}},
    ]);
    serde_json::from_value(events).expect("these are events")
}

fn profile() -> Map<String, Value> {
    Map::from_iter([("title".to_owned(), json!("Tech Lead")), ("country".to_owned(), json!("ES"))])
}

#[test]
fn every_rule_has_a_line_and_every_correction_that_gave_or_took() {
    let as_of: Instant = "2026-01-04T00:00:00Z".parse().unwrap();
    let evaluation = evaluate(&model(), &profile(), &events(), as_of);
    let lines: Vec<(LineKind, Option<&str>, i64)> = evaluation
        .receipt
        .lines
        .iter()
        .map(|line| (line.kind, line.rule.as_deref().or(line.group.as_deref()), line.points.0))
        .collect();
    assert_eq!(
        lines,
        [
            (Rule, Some("lead"), 12_250),
            (Rule, Some("spanish"), 4_000),
            (GroupBest, Some("who"), -4_000),
            (DimensionClamp, None, -2_250),
            (Rule, Some("visits"), 18_000),
            (Rule, Some("often"), 1_000),
            (Rule, Some("quiet"), 0),
            (GroupClamp, Some("web"), -4_000),
            (Weight, Some("web"), -7_500),
            (Adjustment, None, 100),
            (Rounding, None, 400),
        ]
    );
    assert_eq!((evaluation.score.raw.0, evaluation.score.score), (17_600, 18));
}

#[test]
fn caps_of_a_rule_and_of_the_score_have_their_lines() {
    let mut events = events();
    events[2].properties.insert("points".to_owned(), json!(50));
    let as_of: Instant = "2026-01-03T00:00:00Z".parse().unwrap();
    let lines = evaluate(&model(), &profile(), &events, as_of).receipt.lines;
    let points = |kind| lines.iter().find(|line| line.kind == kind).map(|line| line.points.0);
    assert_eq!(points(RuleClamp), Some(-2_000));
    assert_eq!(points(ScoreClamp), Some(-42_500));
}

#[test]
fn occurrences_name_their_event_age_factor_and_worth() {
    let as_of: Instant = "2026-01-05T00:00:00Z".parse().unwrap();
    let lines = evaluate(&model(), &profile(), &events(), as_of).receipt.lines;
    let visits = lines.iter().find(|line| line.rule.as_deref() == Some("visits")).unwrap();
    assert_eq!(
        serde_json::to_value(visits).unwrap(),
        json!({
            "kind": "rule", "dimension": "engagement", "group": "web", "rule": "visits", "points": 16_000,
            "detail": "2 events counted.",
            "occurrences": [
                {"event_id": "v2", "occurred_at": "2026-01-03T00:00:00Z", "age": 172_800_000_000_u64,
                 "factor": 800_000, "worth": 8_000},
                {"event_id": "v1", "occurred_at": "2026-01-02T12:00:00Z", "age": 216_000_000_000_u64,
                 "factor": 800_000, "worth": 8_000},
            ],
        })
    );
    let quiet = lines.iter().find(|line| line.rule.as_deref() == Some("quiet")).unwrap();
    assert_eq!((quiet.points.0, quiet.detail.as_str()), (-1_000, "Quiet for 2 days."));
    assert_eq!(quiet.occurrences[0].event_id, "v2");
}

#[test]
fn an_event_that_lies_ahead_bounds_the_next_change() {
    let as_of: Instant = "2026-01-02T18:00:00Z".parse().unwrap();
    let score = evaluate(&model(), &profile(), &events(), as_of).score;
    assert_eq!(score.next_change_at.map(|at| at.to_string()).as_deref(), Some("2026-01-03T00:00:00Z"));
}
