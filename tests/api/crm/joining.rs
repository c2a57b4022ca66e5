//! Upserts that name several identities, and several upserts that name the same.

use serde_json::{Value, json};

use super::{post, status};
use crate::harness::{ADMIN, run};

#[tokio::test]
async fn an_upsert_joins_a_visitor_and_a_person_as_an_identify_does() {
    run(async |app| {
        app.events(json!([
            {"id": "e1", "type": "page_viewed", "lead": {"anonymous_id": "d1"}, "properties": {"path": "/pricing"}},
            {"id": "e2", "type": "identify", "lead": {"anonymous_id": "d1", "email": "jane@acme.example"}},
        ]))
        .await;

        let joined = post(app, json!({"user_id": "003A", "email": "Jane@acme.example"})).await;
        let again = post(app, json!({"user_id": "003A", "email": "jane@Acme.example"})).await;

        assert_eq!((status(&joined).1, status(&again).1), ("updated".to_owned(), "unchanged".to_owned()));
        let lead = app.only_lead().await;
        assert_eq!((&lead["id"], &lead["engagement"]), (&joined.json()["id"], &json!(10_000)));
        assert_eq!(app.count("identity_link").await, 2, "what is known already is not said again");
    })
    .await;
}

#[tokio::test]
async fn two_user_ids_are_never_joined_by_an_address() {
    run(async |app| {
        post(app, json!({"user_id": "u1", "email": "jane@acme.example"})).await;

        for body in [
            json!({"user_id": "u2", "email": "jane@acme.example", "traits": {"title": "CEO"}}),
            json!({"user_id": "u2", "email": "jane@acme.example", "occurred_at": "2020-01-01T00:00:00Z"}),
        ] {
            let refused = post(app, body).await;
            assert_eq!((refused.status.as_u16(), refused.problem()), (409, "conflict".to_owned()));
            let errors = &refused.json()["errors"];
            assert_eq!(
                (&errors[0]["pointer"], &errors[0]["code"]),
                (&json!("/email"), &json!("identity_conflict"))
            );
        }

        assert_eq!(app.get("/v1/leads/by/external_id/u2").await.status, 404, "nothing of it was written");
        assert_eq!((app.count("event").await, app.count("identity").await), (1, 2));
        post(app, json!({"user_id": "u2"})).await;
        assert_eq!(
            post(app, json!({"user_id": "u2", "email": "jane@acme.example"})).await.problem(),
            "conflict"
        );
        app.call("POST", "/v1/alias", Some(ADMIN), json!({"previousId": "u2", "userId": "u1"}).to_string())
            .await;
        let one = post(app, json!({"user_id": "u2", "email": "jane@acme.example"})).await;
        assert_eq!(status(&one).1, "unchanged", "once they are one person, they are");
    })
    .await;
}

#[tokio::test]
async fn the_same_lead_from_everywhere_at_once_is_written_once() {
    run(async |app| {
        let other = app.second_instance().await;
        let body = json!({"user_id": "u1", "email": "jane@x.example", "traits": {"title": "CEO"}});
        let calls = (0..24).map(|n| post(if n % 2 == 0 { app } else { &other }, body.clone()));

        let answers = futures_util::future::join_all(calls).await;

        let said = |word: &str| answers.iter().filter(|answer| answer.json()["status"] == word).count();
        assert_eq!((said("created"), said("unchanged")), (1, 23), "{answers:?}");
        assert_eq!((app.count("event").await, app.count("lead").await), (1, 1));
        other.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn of_several_who_claim_an_address_at_once_one_gets_it() {
    run(async |app| {
        let other = app.second_instance().await;
        let claims: Vec<Value> =
            (0..16).map(|n| json!({"user_id": format!("u{n}"), "email": "jane@x.example"})).collect();
        let calls = claims
            .iter()
            .enumerate()
            .map(|(n, body)| post(if n % 2 == 0 { app } else { &other }, body.clone()));

        let answers = futures_util::future::join_all(calls).await;

        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((with(201), with(409)), (1, 15), "{answers:?}");
        assert_eq!((app.count("lead").await, app.count("identity").await), (1, 2), "the others left nothing");
        other.app.shut_down().await;
    })
    .await;
}
