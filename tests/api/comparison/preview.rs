//! What publishing a version would change.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{bands, director, draft, event, exactly, five, moves, preview, rule, talkative};
use crate::harness::run;

#[tokio::test]
async fn a_preview_counts_who_changes_band_and_who_becomes_or_stops_being_an_mql() {
    run(async |app| {
        five(app).await;
        let model = talkative(app).await;

        let preview = preview(app, &model, json!({})).await;

        assert_eq!(
            bands(&preview),
            ["hot: 0 > 1, 1 in, 0 out", "warm: 2 > 1, 0 in, 1 out", "cold: 3 > 3, 0 in, 0 out"]
        );
        assert_eq!(moves(&preview["bands"][0]["enters"]["leads"]), ["almost: 55 > 75"]);
        assert_eq!(moves(&preview["bands"][1]["leaves"]["leads"]), ["almost: 55 > 75"]);
        let mql = &preview["mql"];
        assert_eq!((&mql["before"], &mql["after"]), (&exactly(2), &exactly(2)));
        assert_eq!(moves(&mql["enters"]["leads"]), ["almost: 55 > 75"]);
        assert_eq!(mql["enters"]["leads"][0]["enters_by"], "threshold");
        assert_eq!(moves(&mql["leaves"]["leads"]), ["ripe: 65 > 40"]);
        assert_eq!(mql["leaves"]["leads"][0]["leaves_at"], "2026-03-03T09:00:00Z", "after the dwell");
        assert_eq!((&mql["leaves_anyway"], &mql["stays"]), (&exactly(0), &exactly(0)));
        let mut movers = moves(&preview["movers"]);
        movers[1..].sort_unstable(); // these two change by as much
        assert_eq!(movers, ["ripe: 65 > 40", "almost: 55 > 75", "leave-me: 10 > 30"]);
        let rho = preview["rank_correlation"].as_f64().unwrap();
        assert!((rho - 7.75 / 9.5).abs() < 1e-9, "{rho}: ranks 5 4 3 1.5 1.5 and 4 5 2.5 1 2.5");
        assert_eq!(
            (&preview["sampled"], &preview["sample_size"], &preview["population"]),
            (&json!(false), &json!(5), &json!(5))
        );
    })
    .await;
}

#[tokio::test]
async fn every_mover_stands_where_its_receipts_say_and_the_lines_add_up_to_the_change() {
    run(async |app| {
        five(app).await;
        let adjusted = app.lead("almost").await["id"].as_str().unwrap().to_owned();
        for points in [3, 2] {
            let adjustment = json!({"points": points, "reason": "met at a fair"}).to_string();
            let answer = app.post(&format!("/v1/leads/{adjusted}/adjustments"), adjustment).await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        let model = draft(app, |document| {
            rule(document, "engagement", "chat or meeting")["points"] = json!(50);
            document["dimensions"]["engagement"]["groups"][2]["weight"] = json!(0.5);
            document["dimensions"]["engagement"]["max"] = json!(20);
            rule(document, "fit", "phone number given")["name"] = json!("may be called");
        })
        .await;

        let preview = preview(app, &model, json!({})).await;

        let movers = preview["movers"].as_array().unwrap();
        assert_eq!(movers.len(), 4, "the stranger stays: {preview}");
        for mover in movers {
            let lead = format!("/v1/leads/{}/score", mover["lead_id"].as_str().unwrap());
            let (before, after) =
                (app.get(&lead).await.json(), app.get(&format!("{lead}?model={model}")).await.json());
            assert_eq!((&mover["before"], &mover["after"]), (&before["score"], &after["score"]));
            let why = mover["why"].as_array().unwrap();
            let points = |key: &str| why.iter().map(|line| line[key].as_i64().unwrap()).sum::<i64>();
            let change = mover["after"].as_i64().unwrap() - mover["before"].as_i64().unwrap();
            assert_eq!(points("after") - points("before"), change * 1000, "{mover}");
        }
        let almost = movers.iter().find(|mover| mover["user_id"] == "almost").unwrap();
        let said = |line: &Value| {
            let names = ["kind", "dimension", "group", "rule"].map(|key| line[key].as_str().unwrap_or("-"));
            format!("{}: {} > {}", names.join(", "), line["before"], line["after"])
        };
        let why: Vec<String> = almost["why"].as_array().unwrap().iter().map(said).collect();
        assert_eq!(
            why,
            [
                "rule, engagement, intent, chat or meeting: 10000 > 50000",
                "weight, engagement, intent, -: 0 > -25000",
                "dimension_clamp, engagement, -, -: 0 > -10000",
                "rule, fit, reach, phone number given: 5000 > 0",
                "rule, fit, reach, may be called: 0 > 5000",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn the_live_version_would_change_nothing() {
    run(async |app| {
        five(app).await;
        let live = app.get("/v1/models").await.json()["data"][0]["id"].as_str().unwrap().to_owned();

        let preview = preview(app, &live, json!({})).await;

        assert_eq!(preview["live"], preview["model"]);
        assert_eq!((&preview["movers"], &preview["rank_correlation"]), (&json!([]), &json!(1.0)));
        assert_eq!(
            bands(&preview),
            ["hot: 0 > 0, 0 in, 0 out", "warm: 2 > 2, 0 in, 0 out", "cold: 3 > 3, 0 in, 0 out"]
        );
        assert_eq!(preview["mql"]["enters"]["leads"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn mqls_that_are_on_their_way_out_already_are_told_from_those_that_the_model_drives_out() {
    run(async |app| {
        for user in ["ripe", "other"] {
            app.events(json!([
                director(user),
                event(user, "trial_started"),
                event(user, "email_subscribed")
            ]))
            .await;
            app.events(json!([event(user, "email_unsubscribed"), event(user, "review_negative")])).await;
        }
        app.advance(TimeDelta::hours(6));
        let forgiving = draft(app, |document| {
            rule(document, "engagement", "bad review")["points"] = json!(0);
        })
        .await;
        let strict = draft(app, |document| document["mql"]["dwell"] = json!("7d")).await;

        let forgiving = preview(app, &forgiving, json!({})).await;
        let strict = preview(app, &strict, json!({})).await;

        assert_eq!((&forgiving["mql"]["stays"], &forgiving["mql"]["after"]), (&exactly(2), &exactly(2)));
        assert_eq!((&strict["mql"]["leaves_anyway"], &strict["mql"]["after"]), (&exactly(2), &exactly(0)));
        assert_eq!(strict["mql"]["leaves"]["count"], 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_preview_foretells_is_what_publishing_does() {
    run(async |app| {
        five(app).await;
        let model = talkative(app).await;
        let foretold = preview(app, &model, json!({})).await;

        let answer = app.post(&format!("/v1/models/{model}/publish"), "").await;

        assert_eq!(answer.status, 202, "{answer:?}");
        app.run_due().await;
        for band in foretold["bands"].as_array().unwrap() {
            let label = band["label"].as_str().unwrap();
            let leads = app.get(&format!("/v1/leads?band={label}")).await.json();
            assert_eq!(band["after"]["count"], leads["data"].as_array().unwrap().len(), "{label}");
        }
        assert_eq!(app.lead("almost").await["stage"], "mql", "it enters at once");
        assert_eq!(app.lead("ripe").await["stage"], "mql", "the dwell is running");
        app.advance(TimeDelta::days(1));
        app.run_due().await;
        let mqls = app.get("/v1/leads?stage=mql").await.json()["data"].as_array().unwrap().len();
        assert_eq!(foretold["mql"]["after"]["count"], mqls);
        assert_eq!(app.lead("ripe").await["stage"], "lead");
    })
    .await;
}
