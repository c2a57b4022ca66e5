//! What becomes of the handoffs of two leads that become one.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::told;
use crate::harness::{
    run,
    sales::{act, answered, handoffs, mql, open, stage},
};

#[tokio::test]
async fn of_two_leads_that_are_one_the_heir_keeps_one_open_offer() {
    run(async |app| {
        let (first, second) = (mql(app, "u1").await, mql(app, "u2").await);
        let (mine, theirs) = (open(app, &second).await, open(app, &first).await);
        app.advance(TimeDelta::hours(1));

        let joined = app
            .post("/v1/alias", json!({"messageId": "m", "userId": "u2", "previousId": "u1"}).to_string())
            .await;
        assert_eq!(joined.status, 200, "{joined:?}");

        assert_eq!(app.get(&format!("/v1/leads/{first}")).await.json()["id"], json!(second));
        let all = handoffs(app, &second).await;
        let find = |wanted: &Value| all.iter().find(|one| one["id"] == wanted["id"]).unwrap().clone();
        assert_eq!(find(&mine)["state"], "open");
        assert_eq!((&find(&theirs)["state"], &find(&theirs)["merged_into"]), (&json!("merged"), &mine["id"]));
    })
    .await;
}

#[tokio::test]
async fn an_heir_without_an_offer_takes_over_the_others_and_what_sales_made_of_it() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        act(app, "u2", "x", "page_viewed").await;
        let heir = app.lead("u2").await["id"].as_str().unwrap().to_owned();

        app.post("/v1/alias", json!({"messageId": "m", "userId": "u2", "previousId": "u1"}).to_string())
            .await;

        assert_eq!(
            (stage(app, &heir).await, open(app, &heir).await["id"].clone()),
            ("mql".to_owned(), handoff["id"].clone())
        );
        let accepted = answered(app, &handoff, "accept", json!({})).await;
        assert_eq!((&accepted["lead_id"], stage(app, &heir).await), (&json!(heir), "sql".to_owned()));
        assert_eq!(told(app).await, ["handoff.offered open", "handoff.accepted accepted"]);
    })
    .await;
}
