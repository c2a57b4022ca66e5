//! Many leads in one call.

use chrono::TimeDelta;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use super::{batch, call, post, statuses};
use crate::harness::run;

#[tokio::test]
async fn a_batch_answers_each_of_its_leads_in_order() {
    run(async |app| {
        post(app, json!({"user_id": "u1", "email": "one@x.example", "traits": {"title": "CEO"}})).await;
        app.advance(TimeDelta::hours(1));

        let results = batch(
            app,
            json!([
                {"user_id": "u2", "email": "two@x.example", "traits": {"title": "CEO"}},
                {"email": "nobody"},
                {"user_id": "u1", "traits": {"title": "CEO"}},
                {"email": "TWO@x.example", "traits": {"title": "Manager"}},
                {"user_id": "u2", "traits": {"title": "Manager"}},
                {"user_id": "u3", "email": "one@x.example"},
                7,
                {"user_id": "u1", "traits": {"title": "Intern"}, "colour": "blue"},
                {"user_id": "u1", "traits": {"title": "Intern"}},
                {"email": "two@x.example", "traits": {"title": "Student"}},
            ]),
        )
        .await;

        assert_eq!(
            statuses(&results),
            [
                "created",
                "rejected",
                "unchanged",
                "updated",
                "unchanged",
                "rejected",
                "rejected",
                "rejected",
                "updated",
                "updated"
            ]
        );
        let codes: Vec<&str> = results.iter().filter_map(|result| result["code"].as_str()).collect();
        assert_eq!(codes, ["invalid_email", "identity_conflict", "invalid", "unknown_field"]);
        let two = app.get("/v1/leads/by/external_id/u2").await.json();
        for (index, result) in results.iter().enumerate() {
            assert_eq!(result["index"], index);
            assert_eq!(result["lead_id"].is_null(), result["status"] == "rejected", "{result}");
        }
        assert_eq!([&results[0]["lead_id"], &results[9]["lead_id"]], [&two["id"]; 2]);
        assert_eq!(two["profile"]["title"], "Student", "of one instant, the later in the batch counts");
        assert_eq!(batch(app, json!([])).await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_of_at_most_a_thousand() {
    run(async |app| {
        let leads: Vec<Value> = (0..1001).map(|n| json!({"user_id": format!("u{n}")})).collect();

        let large = call(app, "POST", "/v1/leads/batch", &[], &json!({"leads": leads})).await;

        assert_eq!((large.status.as_u16(), large.problem()), (413, "too_large".to_owned()));
        let whole = batch(app, json!(leads[..1000])).await;
        assert_eq!((whole.len(), statuses(&whole).contains(&"rejected")), (1000, false));
        assert_eq!(app.count("lead").await, 1000);
    })
    .await;
}

#[test]
fn a_batch_comes_to_the_same_as_its_leads_one_by_one() {
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    TestRunner::new(config)
        .run(&prop::collection::vec(item(), 1..24), |mut items| {
            for (minute, item) in items.iter_mut().enumerate() {
                // No two at one instant: of those, the greater event id counts, and that is new each time.
                let hours = item.as_object_mut().unwrap().remove("hours").unwrap();
                item["occurred_at"] =
                    json!(format!("2026-03-01T{:02}:{minute:02}:00Z", hours.as_i64().unwrap()));
            }
            let (together, alone) =
                runtime.block_on(async { (comes_to(&[json!(items)]).await, comes_to(&each(&items)).await) });
            assert_eq!(together, alone, "{items:?}");
            Ok(())
        })
        .unwrap();
}

fn item() -> impl Strategy<Value = Value> {
    let user = prop::option::of(0..4u8);
    let email = prop::option::of(0..4u8);
    let title = prop::option::of(prop::sample::select(vec!["CEO", "Manager", "Intern"]));
    (user, email, title, 0..20i64).prop_map(|(user, email, title, hours)| {
        let mut item = json!({"hours": hours, "traits": {}});
        if let Some(user) = user {
            item["user_id"] = json!(format!("u{user}"));
        }
        if let Some(email) = email {
            item["email"] = json!(format!("{email}@x.example"));
        }
        if let Some(title) = title {
            item["traits"]["title"] = json!(title);
        }
        item
    })
}

/// A batch of each.
fn each(items: &[Value]) -> Vec<Value> {
    items.iter().map(|item| json!([item])).collect()
}

/// What batches answer, and the leads of which a new service then knows.
async fn comes_to(batches: &[Value]) -> (Vec<[Value; 2]>, Vec<[String; 4]>) {
    let (mut answers, mut leads) = (Vec::new(), Vec::new());
    run(async |app| {
        for items in batches {
            let results = batch(app, items.clone()).await;
            answers.extend(results.iter().map(|one| ["status", "code"].map(|field| one[field].clone())));
        }
        let shape =
            |lead: &Value| ["user_id", "email", "score", "profile"].map(|field| lead[field].to_string());
        leads = app.pages("/v1/leads").await.iter().map(shape).collect();
    })
    .await;
    leads.sort();
    (answers, leads)
}
