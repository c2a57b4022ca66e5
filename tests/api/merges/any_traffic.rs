//! Whatever is merged and undone, the leads are those of the same traffic without merges.

use chrono::TimeDelta;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::json;

use super::{merge, points, unmerge, visit};
use crate::harness::{TestApp, run};

/// Something that is said of a few people, or decided.
#[derive(Debug, Clone)]
enum Deed {
    Visit(u8),
    Identify { user: Option<u8>, email: Option<u8>, device: Option<u8> },
    Alias(u8, u8),
    Merge(prop::sample::Index, prop::sample::Index),
    Unmerge(prop::sample::Index),
}

fn deed() -> impl Strategy<Value = Deed> {
    let one_of = |n: u8| prop_oneof![1 => Just(None), 2 => (0..n).prop_map(Some)];
    prop_oneof![
        3 => (0..6_u8).prop_map(Deed::Visit),
        4 => (one_of(3), one_of(3), one_of(3)).prop_map(|(user, email, device)| Deed::Identify { user, email, device }),
        1 => (0..3_u8, 0..3_u8).prop_map(|(a, b)| Deed::Alias(a, b)),
        3 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(a, b)| Deed::Merge(a, b)),
        2 => any::<prop::sample::Index>().prop_map(Deed::Unmerge),
    ]
}

/// Does what was said, and the merges too if they are wanted.
async fn act(app: &TestApp, step: usize, deed: &Deed, merging: bool, merged: &mut Vec<(String, String)>) {
    let at = |minutes: usize| {
        app.now() - TimeDelta::days(20) + TimeDelta::minutes(i64::try_from(minutes).unwrap())
    };
    // Some of what is said happened before what was said already.
    let at = at(step * 7 % 40 * 60);
    match deed {
        Deed::Visit(n) => {
            let lead = if *n < 3 {
                json!({"anonymous_id": format!("d{n}")})
            } else {
                json!({"user_id": format!("u{}", n - 3)})
            };
            app.events(visit(&format!("v{step}"), &lead, &at.to_rfc3339())).await;
        }
        Deed::Identify { user, email, device } => {
            let mut lead = serde_json::Map::new();
            lead.extend(user.map(|n| ("user_id".to_owned(), json!(format!("u{n}")))));
            lead.extend(email.map(|n| ("email".to_owned(), json!(format!("e{n}@acme.example")))));
            lead.extend(device.map(|n| ("anonymous_id".to_owned(), json!(format!("d{n}")))));
            if lead.is_empty() {
                return;
            }
            app.events(json!({"id": format!("i{step}"), "type": "identify", "lead": lead, "occurred_at": at,
                "traits": {"seen": step}}))
                .await;
        }
        Deed::Alias(former, user) => {
            let body = json!({"messageId": format!("a{step}"), "userId": format!("u{user}"),
                "previousId": format!("u{former}"), "timestamp": at});
            app.post("/v1/alias", body.to_string()).await;
        }
        Deed::Merge(..) | Deed::Unmerge(_) if !merging => {}
        Deed::Merge(into, other) => {
            let leads = app.pages("/v1/leads?sort=created_at").await;
            if leads.is_empty() {
                return;
            }
            let id = |index: &prop::sample::Index| index.get(&leads)["id"].as_str().unwrap().to_owned();
            let (into, other) = (id(into), id(other));
            if into != other {
                merge(app, &into, &other).await;
                merged.push((into, other));
            }
        }
        Deed::Unmerge(which) => {
            if !merged.is_empty() {
                take_out(app, merged.remove(which.index(merged.len()))).await;
            }
        }
    }
}

/// Takes a lead out of the one that it was merged into.
async fn take_out(app: &TestApp, (into, other): (String, String)) {
    unmerge(app, &into, &other).await;
}

#[tokio::test]
async fn after_all_merges_are_undone_the_leads_are_those_of_the_same_traffic_without_merges() {
    let cases = std::env::var("LEADSCORE_CASES").map_or(25, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::deterministic();
    for case in 0..cases {
        let deeds = prop::collection::vec(deed(), 5..25).new_tree(&mut runner).unwrap().current();
        let mut outcomes = Vec::new();
        for merging in [true, false] {
            run(async |app| {
                let mut merged = Vec::new();
                for (step, deed) in deeds.iter().enumerate() {
                    act(app, step, deed, merging, &mut merged).await;
                }
                app.run_due().await;
                check(app, case, &deeds).await;
                while let Some(one) = merged.pop() {
                    take_out(app, one).await;
                }
                app.run_due().await;
                check(app, case, &deeds).await;
                let mut leads: Vec<String> = Vec::new();
                for lead in app.pages("/v1/leads").await {
                    let profile = &lead["profile"];
                    leads.push(
                        json!([lead["user_id"], lead["email"], lead["stage"], points(&lead), profile])
                            .to_string(),
                    );
                }
                leads.sort();
                outcomes.push(leads);
            })
            .await;
        }
        assert_eq!(outcomes[0], outcomes[1], "case {case}: {deeds:#?}");
    }
}

/// What is stored of every lead is what a replay of its log says.
async fn check(app: &TestApp, case: u32, deeds: &[Deed]) {
    for stored in app.pages("/v1/leads").await {
        let id = stored["id"].as_str().unwrap();
        let replayed = app.get(&format!("/v1/leads/{id}/score")).await.json();
        for piece in ["score", "raw", "fit", "engagement"] {
            assert_eq!(stored[piece], replayed[piece], "case {case}: {piece} of {id}: {deeds:#?}");
        }
    }
}
