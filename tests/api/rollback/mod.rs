//! Whatever a publish moves, a rollback moves back.

mod any_story;
mod leads;

use axum::http::StatusCode;
use serde_json::json;

use crate::harness::{ADMIN, TestApp};

async fn roll_back(app: &TestApp, model: &str, body: &str) {
    let path = format!("/v1/models/{model}/rollback");
    let answer = app.call("POST", &path, Some(ADMIN), body.to_owned()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

async fn roll_back_at_once(app: &TestApp, model: &str) {
    roll_back(app, model, "").await;
    app.run_due().await;
}

async fn texts(app: &TestApp, statement: &'static str) -> Vec<String> {
    sqlx::query_scalar(statement).fetch_all(&mut app.database.connect().await).await.unwrap()
}

/// Where every lead stands: its row, its handoffs that are open or accepted, and the queue in its order with the reasons for each place.
async fn everything(app: &TestApp) -> Vec<String> {
    let mut all = texts(
        app,
        "select (to_jsonb(l) - 'epoch')::text || ' | ' || coalesce((
            select jsonb_agg(jsonb_build_array(h.id, h.state, h.cycle, h.rep, h.due_at, h.expires_at, h.score) order by h.id)
            from handoff h where h.lead_id = l.id and state in ('open', 'accepted'))::text, '')
        from lead l order by id",
    )
    .await;
    let page = app.get("/v1/queues/sales/leads?limit=500").await.json();
    all.extend(page["data"].as_array().unwrap().iter().map(|lead| format!("{} {}", lead["id"], lead["why"])));
    all
}

async fn offers(app: &TestApp) -> Vec<String> {
    texts(app, "select state || coalesce(' ' || reason, '') from handoff order by id").await
}

async fn begin(app: &TestApp, model: &str, offers: bool) {
    let path = format!("/v1/models/{model}/publish");
    let answer = app.call("POST", &path, Some(ADMIN), json!({"offer_to_sales": offers}).to_string()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
}

async fn go_live(app: &TestApp, model: &str, offers: bool) {
    begin(app, model, offers).await;
    app.run_due().await;
}

/// A person of a story, who exists by then or not.
fn user(case: u32, person: usize) -> String {
    format!("c{case:03}p{person}")
}
