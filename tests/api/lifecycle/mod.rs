//! From lead to MQL and back, by score and by a raised hand.

mod any_deeds;
mod entering;
mod leaving;
mod table;

use serde_json::{Value, json};

use crate::harness::TestApp;

/// 40 of fit and 20 of engagement by the default model: exactly `enter`, but for engagement.
fn fit_director() -> Value {
    json!({"id": "fit", "type": "identify", "lead": {"user_id": "u1"},
        "traits": {"title": "Director", "phone": "+1 555 0100", "company": {"employees": 200}}})
}

fn event(id: &str, kind: &str) -> Value {
    json!({"id": id, "type": kind, "lead": {"user_id": "u1"}})
}

async fn stage(app: &TestApp) -> String {
    app.only_lead().await["stage"].as_str().unwrap().to_owned()
}

/// `from > to: cause (cycle, score)` of every passage, in order.
async fn passages(app: &TestApp) -> Vec<String> {
    sqlx::query_scalar(
        "select from_stage || ' > ' || to_stage || ': ' || cause || ' (' || cycle || ', ' || score || ')'
        from transition order by seq",
    )
    .fetch_all(&mut app.database.connect().await)
    .await
    .unwrap()
}
