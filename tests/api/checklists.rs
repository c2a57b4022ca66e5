//! What sales finds out, criterion by criterion, and what accepting needs of it.

use axum::{body::Body, http::Request};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{
    ADMIN, TestApp, call, does, run,
    sales::{act, answer, answered, change_terms, handoffs, mql, open},
};

async fn find_out(app: &TestApp, lead: &str, framework: &str, answers: Value) -> Value {
    let body = json!({"framework": framework, "answers": answers, "author": "ana"});
    does(app, "PUT", &format!("/v1/leads/{lead}/qualification"), body).await
}

fn criteria<'a>(qualification: &'a Value, framework: &str) -> &'a Value {
    let lists = qualification["checklists"].as_array().unwrap();
    lists.iter().find(|list| list["framework"] == framework).unwrap()
}

#[tokio::test]
async fn three_frameworks_come_with_questions_for_every_criterion() {
    run(async |app| {
        let list = app.get("/v1/checklists").await.json();

        let mut found = Vec::new();
        for framework in list["data"].as_array().unwrap() {
            let names: Vec<&str> = framework["criteria"]
                .as_array()
                .unwrap()
                .iter()
                .map(|criterion| {
                    let questions = criterion["questions"].as_array().unwrap();
                    assert!(
                        questions.len() >= 3
                            && questions.iter().all(|one| one.as_str().unwrap().ends_with('?'))
                    );
                    assert!(criterion["holds_when"].as_str().unwrap().ends_with('.'));
                    criterion["criterion"].as_str().unwrap()
                })
                .collect();
            found.push(format!("{}: {}", framework["framework"].as_str().unwrap(), names.join(" ")));
        }
        assert_eq!(
            found,
            [
                "bant: budget authority need timing",
                "champ: challenges authority money prioritization",
                "anum: authority need urgency money"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn answers_are_kept_with_their_evidence_and_who_gave_them_when() {
    run(async |app| {
        let lead = mql(app, "u1").await;

        let found = find_out(app, &lead, "bant", json!({
            "budget": {"answer": "partial", "evidence": " half of it "}, "need": {"answer": "yes"}, "timing": {"answer": "unknown"},
        }))
        .await;

        let bant = criteria(&found, "bant");
        assert_eq!((&bant["answered"], &bant["criteria"][0]["criterion"]), (&json!(2), &json!("budget")));
        let budget = &bant["criteria"][0];
        assert_eq!(
            (&budget["answer"], &budget["evidence"], &budget["answered_by"], &budget["answered_at"]),
            (&json!("partial"), &json!("half of it"), &json!("ana"), &json!("2026-03-02T09:00:00Z"))
        );
        assert_eq!(bant["criteria"][3]["answer"], "unknown");
        assert_eq!(criteria(&found, "champ")["answered"], 0, "each framework has its own");
        assert_eq!(app.get(&format!("/v1/leads/{lead}/qualification")).await.json(), found);
    })
    .await;
}

#[tokio::test]
async fn what_is_left_out_stays_as_it_is_and_unknown_takes_an_answer_back() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        find_out(app, &lead, "anum", json!({"need": {"answer": "yes"}, "money": {"answer": "no"}})).await;
        app.advance(TimeDelta::hours(1));

        let found =
            find_out(app, &lead, "anum", json!({"need": {"answer": "yes"}, "urgency": {"answer": "no"}}))
                .await;
        let later = find_out(app, &lead, "anum", json!({"urgency": {"answer": "unknown"}})).await;

        let anum = criteria(&found, "anum")["criteria"].clone();
        assert_eq!(
            (&anum[1]["answer"], &anum[1]["answered_at"]),
            (&json!("yes"), &json!("2026-03-02T09:00:00Z"))
        );
        assert_eq!(
            (&anum[2]["answer"], &anum[2]["answered_at"]),
            (&json!("no"), &json!("2026-03-02T10:00:00Z"))
        );
        assert_eq!((&anum[3]["answer"], &anum[3]["answered_by"]), (&json!("no"), &json!("ana")), "left out");
        let urgency = &criteria(&later, "anum")["criteria"][2];
        assert_eq!((&urgency["answer"], &urgency["answered_by"]), (&json!("unknown"), &json!(null)));
    })
    .await;
}

#[tokio::test]
async fn accepting_needs_as_many_answers_as_the_policy_says() {
    run(async |app| {
        change_terms(app, json!({"accept_needs": {"framework": "bant", "answered": 3}})).await;
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        find_out(app, &lead, "bant", json!({"budget": {"answer": "no"}, "need": {"answer": "yes"}})).await;
        find_out(app, &lead, "champ", json!({"money": {"answer": "yes"}})).await;

        let refused = answer(app, &handoff, "accept", json!({"rep": "ana"})).await;

        assert_eq!((refused.status.as_u16(), refused.problem()), (409, "criteria_missing".to_owned()));
        let errors = refused.json()["errors"].clone();
        let pointers: Vec<&str> =
            errors.as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, ["/answers/authority", "/answers/timing"]);
        assert!(errors[0]["message"].as_str().unwrap().ends_with('?'));
        assert_eq!(handoffs(app, &lead).await[0]["state"], "open");
        find_out(
            app,
            &lead,
            "bant",
            json!({
                "budget": {"answer": "no"}, "need": {"answer": "yes"}, "authority": {"answer": "partial"},
            }),
        )
        .await;
        answered(app, &handoff, "accept", json!({"rep": "ana"})).await;
        assert_eq!(app.lead("u1").await["stage"], "sql");
    })
    .await;
}

#[tokio::test]
async fn what_was_found_out_goes_with_a_lead_that_turns_out_to_be_another() {
    run(async |app| {
        let former = mql(app, "u1").await;
        find_out(app, &former, "bant", json!({"budget": {"answer": "yes"}, "need": {"answer": "no"}})).await;
        app.advance(TimeDelta::hours(1));
        act(app, "u2", "x", "page_viewed").await;
        let heir = app.lead("u2").await["id"].as_str().unwrap().to_owned();
        find_out(app, &heir, "bant", json!({"need": {"answer": "yes"}})).await;

        app.post("/v1/alias", json!({"messageId": "m", "userId": "u2", "previousId": "u1"}).to_string())
            .await;

        let found = app.get(&format!("/v1/leads/{former}/qualification")).await.json();
        let bant = criteria(&found, "bant")["criteria"].clone();
        assert_eq!(found["lead_id"], json!(heir));
        assert_eq!(
            (&bant[0]["answer"], &bant[2]["answer"]),
            (&json!("yes"), &json!("yes")),
            "the newer answer holds"
        );
    })
    .await;
}

#[tokio::test]
async fn the_first_closed_gate_is_named_in_the_order_in_which_they_are_asked() {
    run(async |app| {
        let held_by = async |begins: &str| {
            let lead = app.lead(begins).await["id"].as_str().unwrap().to_owned();
            app.get(&format!("/v1/leads/{lead}/qualification")).await.json()["held_by"].clone()
        };
        app.events(json!({"id": "e0", "type": "identify", "lead": {"user_id": "u1"}})).await;
        assert_eq!(held_by("u1").await, json!({"gate": "no_human_activity"}));
        act(app, "u1", "e1", "page_viewed").await;
        assert_eq!(held_by("u1").await, json!({"gate": "thresholds"}));
        act(app, "u1", "e2", "do_not_contact_requested").await;
        assert_eq!(held_by("u1").await, json!({"gate": "do_not_contact"}));
        app.advance(TimeDelta::hours(1));
        act(app, "u1", "e3", "demo_requested").await;
        assert_eq!(held_by("u1").await, json!(null));
        let lead = app.lead("u1").await["id"].as_str().unwrap().to_owned();
        let handoff = open(app, &lead).await;
        answered(app, &handoff, "recycle", json!({})).await;
        assert_eq!(held_by("u1").await, json!({"gate": "no_human_activity"}));
        app.advance(TimeDelta::hours(1));
        act(app, "u1", "e4", "demo_requested").await;
        assert_eq!(held_by("u1").await, json!({"gate": "cooldown", "until": "2026-04-01T10:00:00Z"}));
        does(
            app,
            "POST",
            &format!("/v1/leads/{lead}/stage"),
            json!({"stage": "disqualified", "reason": "r"}),
        )
        .await;
        assert_eq!(held_by("u1").await, json!({"gate": "stage"}));
        app.events(json!({"id": "x", "type": "page_viewed", "lead": {"anonymous_id": "d"}})).await;
        let leads = app.pages("/v1/leads").await;
        let stranger =
            leads.iter().find(|lead| lead["stage"] == "anonymous").unwrap()["id"].as_str().unwrap();
        let path = format!("/v1/leads/{stranger}/qualification");
        assert_eq!(app.get(&path).await.json()["held_by"], json!({"gate": "unidentified"}));
    })
    .await;
}

#[tokio::test]
async fn mistakes_are_named_and_another_persons_change_is_not_overwritten() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let path = format!("/v1/leads/{lead}/qualification");
        for (body, pointer) in [
            (json!({"framework": "meddic", "answers": {}}), "/framework"),
            (json!({"framework": "bant", "answers": {"money": {"answer": "yes"}}}), "/answers/money"),
            (json!({"framework": "bant", "answers": {"need": {"answer": "maybe"}}}), "/answers/need/answer"),
            (
                json!({"framework": "bant", "answers": {"need": {"answer": "yes", "evidence": ""}}}),
                "/answers/need/evidence",
            ),
            (json!({"framework": "bant", "answers": {}, "author": "a\u{0}"}), "/author"),
            (json!({"framework": "bant", "answers": {}, "colour": 1}), "/colour"),
        ] {
            let refused = call(app, "PUT", &path, &body).await;
            assert_eq!(refused.problem(), "invalid_request", "{body}");
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
        }
        let tag = app.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
        find_out(app, &lead, "bant", json!({"need": {"answer": "yes"}})).await;
        let request = Request::put(&path)
            .header("authorization", format!("Bearer {ADMIN}"))
            .header("content-type", "application/json")
            .header("if-match", tag);
        let late = app.send(request.body(Body::from(r#"{"framework":"bant","answers":{}}"#)).unwrap()).await;
        assert_eq!(late.problem(), "precondition_failed");
        let nobody = "/v1/leads/0196a000-0000-7000-8000-000000000000/qualification";
        assert_eq!(app.get(nobody).await.problem(), "not_found");
    })
    .await;
}
