//! Two models side by side: what publishing one would change, and how two order the same leads.

mod intake;
mod preview;
mod sampling;
mod side_by_side;

use serde_json::{Value, json};

use crate::harness::{TestApp, models::document};

/// A rule of the default model, by its names.
pub(super) fn rule<'a>(document: &'a mut Value, dimension: &str, name: &str) -> &'a mut Value {
    let groups = document["dimensions"][dimension]["groups"].as_array_mut().unwrap();
    let rules = groups.iter_mut().flat_map(|group| group["rules"].as_array_mut().unwrap());
    rules.into_iter().find(|rule| rule["name"] == name).unwrap()
}

/// A draft that differs from the default model.
pub(super) async fn draft(app: &TestApp, change: impl FnOnce(&mut Value)) -> String {
    let mut document = document();
    document["tests"] = json!([]);
    change(&mut document);
    let answer = app.post("/v1/models", document.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Chats count more, trials less than nothing.
pub(super) async fn talkative(app: &TestApp) -> String {
    draft(app, |document| {
        rule(document, "engagement", "chat or meeting")["points"] = json!(30);
        rule(document, "engagement", "free trial")["points"] = json!(-5);
    })
    .await
}

pub(super) fn director(user: &str) -> Value {
    json!({"id": format!("{user}-fit"), "type": "identify", "lead": {"user_id": user, "email": format!("{user}@acme.example")},
        "traits": {"title": "Director", "phone": "+1 555 0100", "company": {"employees": 200}}})
}

pub(super) fn event(user: &str, kind: &str) -> Value {
    json!({"id": format!("{user}-{kind}"), "type": kind, "lead": {"user_id": user}})
}

/// By the default model and by [`talkative`]: ripe 65 and 40, almost 55 and 75, asks 30 and 30, a stranger 10 and 10,
/// leave-me 10 and 30.
pub(super) async fn five(app: &TestApp) {
    app.events(json!([
        director("ripe"),
        event("ripe", "trial_started"),
        event("ripe", "email_subscribed"),
        director("almost"),
        event("almost", "chat_started"),
        event("almost", "email_subscribed"),
        event("asks", "contact_sales_requested"),
        {"id": "s", "type": "page_viewed", "lead": {"anonymous_id": "d1"}, "properties": {"path": "/pricing"}},
        director("leave-me"),
        event("leave-me", "chat_started"),
        event("leave-me", "do_not_contact_requested"),
    ]))
    .await;
}

pub(super) async fn preview(app: &TestApp, model: &str, body: Value) -> Value {
    let answer = app.post(&format!("/v1/models/{model}/preview"), body.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

pub(super) async fn compare(app: &TestApp, query: &str) -> Value {
    let answer = app.get(&format!("/v1/models/compare?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// A count that is certain.
pub(super) fn exactly(count: u64) -> Value {
    json!({"count": count, "low": count, "high": count})
}

/// `user: before > after` of the leads in a list.
pub(super) fn moves(leads: &Value) -> Vec<String> {
    let said = |lead: &Value| {
        format!("{}: {} > {}", lead["user_id"].as_str().unwrap_or("?"), lead["before"], lead["after"])
    };
    leads.as_array().unwrap().iter().map(said).collect()
}

/// `label: before > after, enters, leaves` of the bands.
pub(super) fn bands(preview: &Value) -> Vec<String> {
    let said = |band: &Value| {
        let [before, after, enters, leaves] =
            ["before", "after", "enters", "leaves"].map(|key| band[key]["count"].as_u64().unwrap());
        format!("{}: {before} > {after}, {enters} in, {leaves} out", band["label"].as_str().unwrap())
    };
    preview["bands"].as_array().unwrap().iter().map(said).collect()
}
