//! Leads that are ripe for sales, what sales does with them, and the policy by which it does.

use serde_json::{Value, json};

use super::{Answer, TestApp, call, does};

/// Events by which somebody becomes an MQL by score: 65 points.
fn ripening(user: &str) -> Value {
    let event =
        |n: usize, kind: &str| json!({"id": format!("{user}-{n}"), "type": kind, "lead": {"user_id": user}});
    json!([
        {"id": format!("{user}-0"), "type": "identify", "lead": {"user_id": user},
         "traits": {"title": "Director", "phone": "+1 555 0100", "company": {"employees": 200}}},
        event(1, "trial_started"),
        event(2, "email_subscribed"),
    ])
}

/// A lead that has just become an MQL by score.
pub(crate) async fn mql(app: &TestApp, user: &str) -> String {
    app.events(ripening(user)).await;
    let lead = app.lead(user).await;
    assert_eq!(lead["stage"], "mql", "{lead}");
    lead["id"].as_str().unwrap().to_owned()
}

/// Something that a person does.
pub(crate) async fn act(app: &TestApp, user: &str, id: &str, kind: &str) {
    app.events(json!({"id": id, "type": kind, "lead": {"user_id": user}})).await;
}

/// Changes some of the policy.
pub(crate) async fn change_policy(app: &TestApp, changes: Value) {
    let mut document = app.get("/v1/policy").await.json()["document"].clone();
    for (field, value) in changes.as_object().unwrap() {
        document[field] = value.clone();
    }
    does(app, "PUT", "/v1/policy", document).await;
}

/// Changes some of the terms of handoffs.
pub(crate) async fn change_terms(app: &TestApp, changes: Value) {
    let mut terms = app.get("/v1/policy").await.json()["document"]["handoff"].clone();
    for (field, value) in changes.as_object().unwrap() {
        terms[field] = value.clone();
    }
    change_policy(app, json!({"handoff": terms})).await;
}

/// All handoffs of a lead, newest first.
pub(crate) async fn handoffs(app: &TestApp, lead: &str) -> Vec<Value> {
    app.get(&format!("/v1/handoffs?lead_id={lead}")).await.json()["data"].as_array().unwrap().clone()
}

/// The one open handoff of a lead.
pub(crate) async fn open(app: &TestApp, lead: &str) -> Value {
    let open: Vec<Value> =
        handoffs(app, lead).await.into_iter().filter(|one| one["state"] == "open").collect();
    assert_eq!(open.len(), 1, "{open:?}");
    open[0].clone()
}

pub(crate) async fn answer(app: &TestApp, handoff: &Value, verb: &str, body: Value) -> Answer {
    let path = format!("/v1/handoffs/{}/{verb}", handoff["id"].as_str().unwrap());
    call(app, "POST", &path, &body).await
}

/// An answer that must be taken.
pub(crate) async fn answered(app: &TestApp, handoff: &Value, verb: &str, body: Value) -> Value {
    let answer = answer(app, handoff, verb, body).await;
    assert_eq!(answer.status, 200, "{verb}: {answer:?}");
    answer.json()
}

/// The whole feed of changes.
pub(crate) async fn changes(app: &TestApp) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/v1/changes?limit=500{cursor}")).await.json();
        found.extend(page["data"].as_array().unwrap().clone());
        cursor = format!("&cursor={}", page["resume_cursor"].as_str().unwrap());
        if page["has_more"] == false {
            return found;
        }
    }
}

/// Where a lead stands.
pub(crate) async fn stage(app: &TestApp, lead: &str) -> String {
    app.get(&format!("/v1/leads/{lead}")).await.json()["stage"].as_str().unwrap().to_owned()
}

/// `from > to: cause by actor for reason` of the last passages, in order.
pub(crate) async fn passages(app: &TestApp, last: i64) -> Vec<String> {
    let mut rows: Vec<String> = sqlx::query_scalar(
        "select from_stage || ' > ' || to_stage || ': ' || cause || coalesce(' by ' || actor, '')
            || coalesce(' for ' || reason, '')
        from transition order by seq desc limit $1",
    )
    .bind(last)
    .fetch_all(&mut app.database.connect().await)
    .await
    .unwrap();
    rows.reverse();
    rows
}

/// What was last kept about a lead's stage: `from > to: cause by actor for reason`.
pub(crate) async fn last_passage(app: &TestApp) -> String {
    passages(app, 1).await.remove(0)
}
