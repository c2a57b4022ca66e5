//! What users see of a service, told apart from the ids that it gave out and from when things came.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::TestApp;

/// What of a lead is the service's own id, or depends on when things came: stages are never back-dated, so how far a lead
/// has been, and what sales was offered, is a story of its own.
const OF_ARRIVAL: [&str; 8] =
    ["id", "stage", "qualified_by", "cycle", "model_version", "created_at", "updated_at", "lead_id"];

/// Everything that is seen, and by which ids.
pub(super) struct View {
    pub(super) seen: Value,
    /// The ids of the leads, in the order of their names.
    pub(super) leads: Vec<String>,
}

impl View {
    pub(super) async fn of(app: &TestApp) -> View {
        let names = names(app).await;
        let listed = app.pages("/v1/leads?limit=500").await;
        assert_eq!(listed.len(), names.len(), "{listed:?} {names:?}");
        let leads = join_all(listed.into_iter().map(async |listed| lead(app, listed, &names).await)).await;
        let leads: BTreeMap<String, Value> = leads.into_iter().collect();
        let mut ids: Vec<(&String, &String)> = names.iter().map(|(id, name)| (name, id)).collect();
        ids.sort_unstable();
        let ids = ids.into_iter().map(|(_, id)| id.clone()).collect();
        let seen = json!({
            "leads": leads,
            "suppressions": named(app.pages("/v1/suppressions?limit=500").await, &names),
            "conflicts": named(app.pages("/v1/conflicts?limit=500").await, &names),
            "waiting": waiting(app).await,
            "events": app.count("event").await,
        });
        View { seen, leads: ids }
    }
}

/// The leads by id, each named by whose events count for it.
async fn names(app: &TestApp) -> BTreeMap<String, String> {
    type Span = (uuid::Uuid, String, String, DateTime<Utc>, Option<DateTime<Utc>>);
    let spans: Vec<Span> = sqlx::query_as(
        "select s.lead_id, i.kind, i.value, s.since, s.until from identity_span s join identity i on i.id = s.identity_id
        order by i.kind desc, i.value, s.since",
    )
    .fetch_all(&mut app.database.connect().await)
    .await
    .unwrap();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (lead, kind, value, since, until) in spans {
        let span = format!("{kind} {value} from {since} to {until:?}; ");
        names.entry(lead.to_string()).or_default().push_str(&span);
    }
    names
}

/// A lead by its name: as the list has it, its receipt, and its log.
async fn lead(app: &TestApp, mut listed: Value, names: &BTreeMap<String, String>) -> (String, Value) {
    let id = listed["id"].as_str().unwrap().to_owned();
    let receipt = app.get(&format!("/v1/leads/{id}/score")).await;
    assert_eq!(receipt.status, 200, "{receipt:?}");
    let mut receipt = receipt.json();
    for piece in ["score", "raw", "fit", "engagement", "grade", "band", "next_change_at"] {
        assert_eq!(listed[piece], receipt[piece], "what is stored is what the log says: {listed} {receipt}");
    }
    let mut events = app.pages(&format!("/v1/leads/{id}/events?limit=500")).await;
    for event in &mut events {
        event.as_object_mut().unwrap().remove("received_at");
    }
    events.sort_by_key(Value::to_string);
    let anonymous = listed["stage"] == "anonymous";
    for field in OF_ARRIVAL {
        listed.as_object_mut().unwrap().remove(field);
        receipt.as_object_mut().unwrap().remove(field);
    }
    let seen = json!({"lead": listed, "anonymous": anonymous, "receipt": receipt, "events": events});
    (names[&id].clone(), seen)
}

/// Rows with the names of leads in the place of their ids.
fn named(mut rows: Vec<Value>, names: &BTreeMap<String, String>) -> Vec<Value> {
    for value in rows.iter_mut().flat_map(|row| row.as_object_mut().unwrap().values_mut()) {
        if let Some(name) = value.as_str().and_then(|id| names.get(id)) {
            *value = json!(name);
        }
    }
    rows.sort_by_key(Value::to_string);
    rows
}

/// What is known of those who are no lead.
async fn waiting(app: &TestApp) -> Vec<Value> {
    sqlx::query_scalar(
        "select jsonb_build_object('who', i.value, 'id', e.id, 'type', e.type, 'at', e.occurred_at, 'verdict', e.verdict,
            'reason', e.verdict_reason, 'held_until', e.held_until)
        from event e join identity i on i.id = e.identity_id
        where not exists (select from identity_span s where s.identity_id = i.id)
        order by i.value, e.id",
    )
    .fetch_all(&mut app.database.connect().await)
    .await
    .unwrap()
}
