//! What the semantics of a score mean for those who send data, and what becomes of what older semantics left behind.

use std::{future::poll_fn, pin::pin, task::Poll};

use leadscore::{
    lifecycle::change::jobs::Renew,
    platform::{ids::LeadId, sweep},
    scores,
};
use scoring::{SEMANTICS, profile::Fold};
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Executor, types::Json};

use crate::harness::{ADMIN, TestApp, logged, models::visits, rebuild_next, run};

async fn take(app: &TestApp, path: &str, body: &Value) {
    let answer = app.post(path, body.to_string()).await;
    assert!(answer.status.is_success(), "{path}: {answer:?}");
}

#[tokio::test]
async fn a_number_of_employees_counts_the_same_as_text_from_whatever_way_it_comes() {
    run(async |app| {
        for (user, employees) in [("number", json!(329)), ("text", json!("329")), ("spaced", json!(" 329 "))]
        {
            let company = json!({"employees": employees});
            let ways = [
                (
                    "/v1/group",
                    json!({"userId": format!("{user}-group"), "groupId": "Acme", "traits": company}),
                ),
                (
                    "/v1/identify",
                    json!({"userId": format!("{user}-identify"), "traits": {"company": company}}),
                ),
                (
                    "/v1/events",
                    json!({"type": "form_submitted", "lead": {"user_id": format!("{user}-form")},
                        "traits": {"company": company}}),
                ),
                ("/v1/leads", json!({"user_id": format!("{user}-crm"), "traits": {"company": company}})),
            ];
            for (path, body) in &ways {
                take(app, path, body).await;
            }
        }
        for lead in app.pages("/v1/leads").await {
            assert_eq!(lead["fit"], 15_000, "{lead}");
        }
        assert_eq!(app.count("lead").await, 12);
    })
    .await;
}

#[tokio::test]
async fn a_blank_phone_number_is_none() {
    run(async |app| {
        for (user, phone) in [("blank", ""), ("spaces", "  "), ("given", "+1 555 0100")] {
            take(app, "/v1/identify", &json!({"userId": user, "traits": {"phone": phone}})).await;
        }
        let mut fit = Vec::new();
        for user in ["blank", "spaces", "given"] {
            fit.push(app.lead(user).await["fit"].clone());
        }
        assert_eq!(fit, [0, 0, 5_000]);
    })
    .await;
}

#[tokio::test]
async fn what_is_said_of_a_company_in_parts_is_known_as_a_whole() {
    run(async |app| {
        let said = [json!({"industry": "Software"}), json!({"employees": "329"}), json!({})];
        for company in said {
            take(app, "/v1/identify", &json!({"userId": "u1", "traits": {"company": company}})).await;
        }
        let lead = app.only_lead().await;
        assert_eq!(lead["profile"]["company"], json!({"industry": "Software", "employees": "329"}));
        assert_eq!(lead["fit"], 20_000);

        let upsert = json!({"user_id": "u1", "traits": {"company": {"industry": "Software"}}});
        let answer = app.post("/v1/leads", upsert.to_string()).await;
        assert_eq!(answer.json()["status"], "unchanged", "one key is known already: {answer:?}");
    })
    .await;
}

/// A lead whose log has come to say more than what is stored of it: the state and the attributes are those that the older
/// semantics made of it.
async fn lead_of_older_semantics(app: &TestApp, user: &str) -> String {
    let lead = json!({"user_id": user});
    app.events(json!([
        {"id": "1", "type": "identify", "lead": lead, "occurred_at": "2026-03-01T00:00:00Z",
            "traits": {"title": "Sales Director", "company": {"industry": "a"}}},
        {"id": "2", "type": "identify", "lead": lead, "occurred_at": "2026-03-02T00:00:00Z",
            "traits": {"company": {"employees": "a"}}},
        {"id": "3", "type": "page_viewed", "lead": lead, "properties": {"path": "/pricing"}},
        {"id": "4", "type": "trial_started", "lead": lead},
    ]))
    .await;
    let id = app.lead(user).await["id"].as_str().unwrap().to_owned();
    let company = json!({"value": {"employees": "200"}, "at": "2026-03-02T00:00:00Z", "event_id": "2"});
    for statement in [
        "update event set traits = jsonb_set(traits, '{company,industry}', '\"software\"')
            where traits #> '{company,industry}' is not null",
        "update event set traits = jsonb_set(traits, '{company,employees}', '\"200\"')
            where traits #> '{company,employees}' is not null",
    ] {
        app.database.connect().await.execute(statement).await.unwrap();
    }
    sqlx::query("update lead_profile set attributes = attributes || jsonb_build_object('company', $2::jsonb) where lead_id = $1::uuid")
        .bind(&id)
        .bind(company)
        .execute(&mut app.database.connect().await)
        .await
        .unwrap();
    older_state(app, &id).await;
    id
}

/// Has a lead's states as an instance of the release with older semantics writes them.
async fn older_state(app: &TestApp, id: &str) {
    sqlx::query("update score set tally = set_byte(tally, 0, 1) where lead_id = $1::uuid")
        .bind(id)
        .execute(&mut app.database.connect().await)
        .await
        .unwrap();
}

/// `score stage` of a lead, and what is known of the company.
async fn served(app: &TestApp, id: &str) -> (String, Value) {
    let lead = app.get(&format!("/v1/leads/{id}")).await.json();
    let standing = format!("{} {}", lead["score"], lead["stage"].as_str().unwrap());
    (standing, lead["profile"]["company"].clone())
}

/// Every stored state is of today's semantics, and is what a replay of the log says; attributes too.
async fn assert_stored_is_replay(app: &TestApp) {
    type Row = (LeadId, i16, i32, i64, i64, Option<Json<Fold>>);
    let mut conn = app.database.connect().await;
    let rows: Vec<Row> = sqlx::query_as(
        "select s.lead_id, semantics, score, fit, engagement, attributes
        from score s left join lead_profile p on p.lead_id = s.lead_id
        where model_id = (select id from scoring_model where state = 'published')",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let leads: Vec<LeadId> = rows.iter().map(|row| row.0).collect();
    let histories = scores::read_log(&mut conn, &leads).await.unwrap();
    let model = app.app.models.live.current(&mut conn).await.unwrap();
    for (lead, semantics, score, fit, engagement, profile) in rows {
        let history = &histories[&lead];
        assert_eq!(semantics, i16::from(SEMANTICS));
        assert_eq!(profile.map(|profile| profile.0).unwrap_or_default(), history.profile);
        let as_of = leadscore::platform::clock::to_instant(app.now());
        let replayed = scoring::evaluate(&model.model, &Map::new(), &history.events, as_of).score;
        assert_eq!(
            (i64::from(score), fit, engagement),
            (replayed.score, replayed.fit.0, replayed.engagement.0)
        );
    }
}

async fn causes(app: &TestApp, id: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select cause from transition where lead_id = $1::uuid and to_stage = 'mql' order by at, id",
    )
    .bind(id)
    .fetch_all(&mut app.database.connect().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn scores_of_older_semantics_are_served_until_they_are_replayed() {
    run(async |app| {
        let older = lead_of_older_semantics(app, "older").await;
        let met = lead_of_older_semantics(app, "met").await;
        app.events(json!({"type": "identify", "lead": {"user_id": "same"}, "traits": {"title": "Director"}}))
            .await;
        let same = app.lead("same").await;
        older_state(app, same["id"].as_str().unwrap()).await;

        let before = ("50 lead".to_owned(), json!({"employees": "200"}));
        assert_eq!(served(app, &older).await, before);

        app.advance(chrono::TimeDelta::seconds(1));
        app.events(json!({"type": "meeting_held", "lead": {"user_id": "met"}})).await;
        let known = json!({"employees": "200", "industry": "software"});
        assert_eq!(
            served(app, &met).await,
            ("80 mql".to_owned(), known.clone()),
            "whoever changes a lead replays it"
        );
        assert_eq!(served(app, &older).await, before, "the others are served as they were");

        assert!(app.run_due().await > 0);
        assert_eq!(served(app, &older).await, ("70 mql".to_owned(), known));
        for lead in [&older, &met] {
            assert_eq!(causes(app, lead).await, ["model_change"], "no event made it an MQL");
        }
        let offered: Vec<String> = sqlx::query_scalar("select lead_id::text from handoff")
            .fetch_all(&mut app.database.connect().await)
            .await
            .unwrap();
        assert_eq!(offered, [met], "sales is offered only the lead that did something since");
        assert_eq!(
            app.lead("same").await["updated_at"],
            same["updated_at"],
            "nothing of this lead is another"
        );
        assert_stored_is_replay(app).await;
    })
    .await;
}

#[tokio::test]
async fn what_an_older_instance_writes_beside_this_one_is_replayed_by_whichever_instance_finds_it() {
    run(async |app| {
        let lead = lead_of_older_semantics(app, "u1").await;
        let other = app.second_instance().await;
        let both = tokio::join!(
            sweep::run_once::<Renew>(&app.app.lifecycle),
            sweep::run_once::<Renew>(&other.app.lifecycle)
        );
        assert!(both.0.unwrap() + both.1.unwrap() >= 1);
        app.run_due().await;
        assert_eq!(served(app, &lead).await.0, "70 mql");

        older_state(app, &lead).await;

        assert_eq!(app.run_due().await, 1);
        assert_stored_is_replay(app).await;
        other.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn the_log_says_when_a_replay_of_older_semantics_begins_and_when_it_has_ended() {
    run(async |app| {
        for user in ["u1", "u2"] {
            lead_of_older_semantics(app, user).await;
        }
        let renew = async || while sweep::run_once::<Renew>(&app.app.lifecycle).await.unwrap() > 0 {};

        let ((), log) = logged(renew()).await;

        let lines: Vec<&str> = log.lines().filter(|line| line.contains("semantics=")).collect();
        let told = format!("leads=2 semantics={SEMANTICS}");
        assert_eq!(lines.len(), 2, "{log}");
        assert!(lines[0].contains("replaying the leads") && lines[0].contains(&told), "{log}");
        assert!(
            lines[1].contains("every score has the newest semantics") && lines[1].contains(&told),
            "{log}"
        );
        let ((), log) = logged(renew()).await;
        assert!(!log.contains("semantics"), "with nothing to do there is nothing to tell: {log}");
    })
    .await;
}

/// Polls a future so many times, and drops it where it then is; what it came to, if it did.
async fn cut_off<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_replay_of_older_semantics_that_is_cut_off_anywhere_leaves_what_the_next_one_ends() {
    run(async |app| {
        let leads = [lead_of_older_semantics(app, "u1").await, lead_of_older_semantics(app, "u2").await];
        let mut cut = 0;
        for polls in 1.. {
            for lead in &leads {
                older_state(app, lead).await;
            }
            let ended = cut_off(sweep::run_once::<Renew>(&app.app.lifecycle), polls).await;
            assert_eq!(app.database.open_transactions().await, 0, "leads that are locked are passed over");
            if polls % 3 == 0 {
                // Somebody changes one of them before the next run.
                app.advance(chrono::TimeDelta::seconds(1));
                app.events(json!({"type": "page_viewed", "lead": {"user_id": "u2"}})).await;
            }
            app.run_due().await;
            assert_stored_is_replay(app).await;
            if ended.is_some() {
                break;
            }
            cut += 1;
        }
        assert!(cut > 2, "cut off {cut} times");
    })
    .await;
}

#[tokio::test]
async fn a_version_is_not_prepared_from_attributes_of_older_semantics() {
    run(async |app| {
        lead_of_older_semantics(app, "u1").await;
        let mut document = visits(10);
        let company = json!({"all": [{"field": "company.industry", "eq": "software"}, {"field": "company.employees", "gte": 200}]});
        document["dimensions"]["fit"] = json!({"min": 0, "max": 40, "groups": [{"name": "company", "rules": [
            {"name": "large in software", "when": company, "points": 30},
        ]}]});
        let draft = app.post("/v1/models", document.to_string()).await.json();
        take(app, &format!("/v1/models/{}/publish", draft["id"].as_str().unwrap()), &json!({})).await;

        assert_eq!(rebuild_next(app, 100).await.unwrap(), 0, "it waits");

        app.run_due().await;
        assert_eq!(app.lead("u1").await["fit"], 30_000);
        assert_stored_is_replay(app).await;
    })
    .await;
}

#[tokio::test]
async fn documents_that_were_stored_when_less_was_refused_are_used_as_they_are() {
    run(async |app| {
        let draft = app.post("/v1/models", visits(10).to_string()).await.json()["id"].as_str().unwrap().to_owned();
        let when = r#"{"field": "tags", "contains": ["a"]}"#;
        let place = "{dimensions,fit,groups,0,rules,0,when}";
        for statement in [
            format!("update scoring_model set document = jsonb_set(document, '{place}', '{when}') where state = 'published'"),
            format!("update scoring_model set document = jsonb_set(document, '{{dimensions,fit,groups}}', '[{{\"name\": \"g\",
                \"rules\": [{{\"name\": \"r\", \"points\": 1, \"when\": {when}}}]}}]') where state = 'draft'"),
            format!("update queue set document = jsonb_set(document, '{{filter,attributes}}', '{when}')"),
        ] {
            app.database.connect().await.execute(AssertSqlSafe(statement)).await.unwrap();
        }

        let restarted = app.second_instance().await;
        restarted.events(json!({"type": "identify", "lead": {"user_id": "u1"}, "traits": {"tags": [["A"]]}})).await;
        assert_eq!(restarted.lead("u1").await["fit"], 20_000, "the rule means what it meant");
        assert_eq!(restarted.get("/v1/queues/sales/leads").await.status, 200);

        let answer = restarted.call("POST", &format!("/v1/models/{draft}/publish"), Some(ADMIN), String::new()).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/dimensions/fit/groups/0/rules/0/when/contains");
        restarted.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn a_check_names_the_types_of_which_no_event_has_come() {
    run(async |app| {
        let mut document = visits(10);
        document["dimensions"]["engagement"]["groups"][0]["rules"][0]["event"] = json!("pageview");
        let check = async || {
            let report = app.post("/v1/models/check", document.to_string()).await.json();
            let warnings = report["warnings"].as_array().unwrap().clone();
            warnings.into_iter().filter(|warning| warning["code"] == "never_seen").collect::<Vec<_>>()
        };
        assert_eq!(check().await, [] as [Value; 0], "a log without events has nothing to say");

        app.events(json!({"type": "page_viewed", "lead": {"user_id": "u1"}})).await;
        take(app, "/v1/leads", &json!({"user_id": "u2", "traits": {"title": "CEO"}})).await;

        let warnings = check().await;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0]["pointer"], "/dimensions/engagement/groups/0/rules/0/event");
        assert!(warnings[0]["message"].as_str().unwrap().contains("`page_viewed`"), "{warnings:?}");
        assert_eq!(app.count("event_type").await, 2, "the types of upserts too");
    })
    .await;
}
