//! Samples of the leads, and what they say of all.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{director, event, preview, talkative};
use crate::harness::{TestApp, run};

/// Some thousand people of many kinds.
async fn crowd(app: &TestApp, leads: usize) {
    let kinds = [
        "trial_started",
        "chat_started",
        "email_subscribed",
        "content_downloaded",
        "demo_requested",
        "page_viewed",
    ];
    let mut events = Vec::new();
    for n in 0..leads {
        let user = format!("u{n}");
        if n % 3 == 0 {
            events.push(director(&user));
        }
        // Digits of a number that is spread over the leads as if at random.
        let mut dice = n * 2_654_435_761 % 1_000_003;
        for kind in kinds {
            if dice % 4 == 0 || kind == "page_viewed" {
                events.push(event(&user, kind));
            }
            dice /= 4;
        }
    }
    for batch in events.chunks(5_000) {
        let answer = app.post("/v1/events", json!(batch).to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["rejected"], json!([]));
    }
}

/// Every count in an answer, by its place.
fn counts(answer: &Value) -> Vec<(String, Value)> {
    fn collect(value: &Value, place: &str, found: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(fields) if fields.contains_key("low") && fields.contains_key("count") => {
                found.push((place.to_owned(), value.clone()));
            }
            Value::Object(fields) => {
                fields.iter().for_each(|(key, field)| collect(field, &format!("{place}/{key}"), found));
            }
            Value::Array(items) => {
                let named = |(n, item): (usize, &Value)| {
                    (item["label"].as_str().map_or(n.to_string(), str::to_owned), item.clone())
                };
                items
                    .iter()
                    .enumerate()
                    .map(named)
                    .for_each(|(name, item)| collect(&item, &format!("{place}/{name}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(answer, "", &mut found);
    found
}

#[tokio::test]
async fn the_intervals_of_a_sample_hold_what_all_leads_say() {
    run(async |app| {
        crowd(app, 3_000).await;
        let model = talkative(app).await;
        let all = preview(app, &model, json!({})).await;
        assert_eq!((&all["sampled"], &all["population"]), (&json!(false), &json!(3_000)));
        let truth: BTreeMap<String, Value> = counts(&all).into_iter().collect();

        let (mut held, mut intervals) = (0, 0);
        for seed in 0..40 {
            let ask = json!({"sample": 200, "seed": seed});
            let sampled = preview(app, &model, ask).await;

            assert_eq!(
                (&sampled["sampled"], &sampled["sample_size"], &sampled["population"]),
                (&json!(true), &json!(200), &json!(3_000))
            );
            for (place, estimate) in counts(&sampled) {
                let truth = truth.get(&place).unwrap_or_else(|| panic!("{place}")).clone();
                let number = |key: &str| estimate[key].as_u64().unwrap();
                let count = truth["count"].as_u64().unwrap();
                intervals += 1;
                held += u32::from((number("low")..=number("high")).contains(&count));
            }
        }

        let share = f64::from(held) / f64::from(intervals);
        assert!((0.93..0.99).contains(&share), "{held} of {intervals} hold the truth, and not by being wide");
    })
    .await;
}

#[tokio::test]
async fn a_sample_is_the_same_for_the_same_seed_and_another_for_another() {
    run(async |app| {
        crowd(app, 60).await;
        let model = talkative(app).await;
        let ask = async |seed: i64| preview(app, &model, json!({"sample": 20, "seed": seed})).await;

        let (first, again, other) = (ask(1).await, ask(1).await, ask(2).await);

        assert_eq!(first, again);
        assert_ne!(first["movers"], other["movers"]);
        assert_eq!(preview(app, &model, json!({"sample": 60})).await["sampled"], false);
    })
    .await;
}
