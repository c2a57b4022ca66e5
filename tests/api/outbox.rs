//! The outbox and the feed of changes: nothing is skipped, nothing is turned round.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures_util::future::join_all;
use leadscore::{
    feed::outbox::{Change, Kind, publish},
    platform::ids::LeadId,
};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::harness::{TestApp, run, shown};

/// Leads to which something may happen.
async fn leads(app: &TestApp, count: usize) -> Vec<LeadId> {
    let events: Vec<Value> = (0..count)
        .map(|n| json!({"type": "page_viewed", "lead": {"anonymous_id": format!("d{n}")}}))
        .collect();
    let sent = app.events(json!(events)).await;
    let ids = sent["leads"].as_array().unwrap().iter().map(|lead| lead["lead_id"].as_str().unwrap());
    ids.map(|id| LeadId(id.parse().unwrap())).collect()
}

fn change(app: &TestApp, lead_id: LeadId, data: Value) -> Change {
    Change { lead_id, kind: Kind::ScoreChanged, at: app.now(), data }
}

/// Says what happened, on a connection in whatever transaction it is.
async fn say(app: &TestApp, conn: &mut PgConnection, lead: LeadId, data: Value) {
    publish(conn, &app.app.ids, &[change(app, lead, data)]).await.unwrap();
}

/// A page of the feed after a cursor; empty: from the oldest.
async fn page(app: &TestApp, cursor: &str, limit: usize) -> Value {
    let cursor = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
    app.get(&format!("/v1/changes?limit={limit}{cursor}")).await.json()
}

fn data(page: &Value) -> Vec<Value> {
    page["data"]
        .as_array()
        .unwrap_or_else(|| panic!("{page}"))
        .iter()
        .map(|one| one["data"].clone())
        .collect()
}

fn cursor(page: &Value) -> &str {
    page["resume_cursor"].as_str().unwrap_or_else(|| panic!("{page}"))
}

#[tokio::test]
async fn the_feed_says_what_happened_to_whom_and_when() {
    run(async |app| {
        let [lead] = leads(app, 1).await[..] else { panic!("one lead") };
        let mut conn = app.database.connect().await;
        let erased = Change { lead_id: lead, kind: Kind::Erased, at: app.now(), data: json!({}) };
        let changed = change(app, lead, json!({"from": 10, "to": 30}));
        publish(&mut conn, &app.app.ids, &[changed, erased]).await.unwrap();

        let answer = app.get("/v1/changes").await.json();

        insta::assert_snapshot!(shown(&answer), @r#"
        {
          "data": [
            {
              "at": "2026-03-02T09:00:00Z",
              "data": {
                "from": 10,
                "to": 30
              },
              "id": "[id]",
              "lead_id": "[id]",
              "type": "lead.score_changed"
            },
            {
              "at": "2026-03-02T09:00:00Z",
              "data": {},
              "id": "[id]",
              "lead_id": "[id]",
              "type": "lead.erased"
            }
          ],
          "has_more": false,
          "next_cursor": null,
          "resume_cursor": "Mg"
        }
        "#);
        let lead_ids: Vec<&Value> =
            answer["data"].as_array().unwrap().iter().map(|one| &one["lead_id"]).collect();
        assert_eq!(lead_ids, [&json!(lead), &json!(lead)]);
    })
    .await;
}

#[tokio::test]
async fn a_change_whose_transaction_took_longer_comes_later_and_is_not_skipped() {
    run(async |app| {
        let [slow, quick] = leads(app, 2).await[..] else { panic!("two leads") };
        let (mut one, mut other) = (app.database.connect().await, app.database.connect().await);
        let mut longer = one.begin().await.unwrap();
        say(app, &mut longer, slow, json!("took the smaller number")).await;
        say(app, &mut other, quick, json!("committed first")).await;

        let before = page(app, "", 50).await;
        longer.commit().await.unwrap();
        let after = page(app, cursor(&before), 50).await;

        assert_eq!(data(&before), [json!("committed first")]);
        assert_eq!(data(&after), [json!("took the smaller number")]);
        let all = page(app, "", 50).await;
        assert_eq!(data(&all), [json!("committed first"), json!("took the smaller number")]);
    })
    .await;
}

#[tokio::test]
async fn what_is_taken_back_never_happened() {
    run(async |app| {
        let [lead] = leads(app, 1).await[..] else { panic!("one lead") };
        let mut conn = app.database.connect().await;
        let mut doomed = conn.begin().await.unwrap();
        say(app, &mut doomed, lead, json!("taken back")).await;
        doomed.rollback().await.unwrap();
        say(app, &mut conn, lead, json!("kept")).await;

        assert_eq!(data(&page(app, "", 50).await), [json!("kept")]);
    })
    .await;
}

#[tokio::test]
async fn a_program_that_pages_by_the_next_cursor_alone_comes_to_an_end() {
    run(async |app| {
        let [lead] = leads(app, 1).await[..] else { panic!("one lead") };
        let changes: Vec<Change> = (0..5).map(|n| change(app, lead, json!(n))).collect();
        publish(&mut app.database.connect().await, &app.app.ids, &changes).await.unwrap();

        // As dlt's paginator does: it looks at `next_cursor`, and stops where there is none.
        let rows = app.pages("/v1/changes?limit=2").await;

        assert_eq!(
            rows.iter().map(|row| &row["data"]).collect::<Vec<_>>(),
            [&json!(0), &json!(1), &json!(2), &json!(3), &json!(4)]
        );
    })
    .await;
}

#[tokio::test]
async fn a_reader_pages_to_the_end_and_keeps_its_cursor_there() {
    run(async |app| {
        let [lead] = leads(app, 1).await[..] else { panic!("one lead") };
        let mut conn = app.database.connect().await;
        let changes: Vec<Change> = (0..5).map(|n| change(app, lead, json!(n))).collect();
        publish(&mut conn, &app.app.ids, &changes).await.unwrap();

        let first = page(app, "", 3).await;
        let rest = page(app, cursor(&first), 3).await;
        let nothing = page(app, cursor(&rest), 3).await;
        say(app, &mut conn, lead, json!(5)).await;
        let new = page(app, cursor(&nothing), 3).await;

        assert_eq!((data(&first), &first["has_more"]), (vec![json!(0), json!(1), json!(2)], &json!(true)));
        assert_eq!((data(&rest), &rest["has_more"]), (vec![json!(3), json!(4)], &json!(false)));
        assert_eq!((data(&nothing), cursor(&nothing)), (vec![], cursor(&rest)));
        assert_eq!((&first["next_cursor"], &rest["next_cursor"]), (&first["resume_cursor"], &Value::Null));
        assert_eq!(data(&new), [json!(5)]);
        let linked = app.get("/v1/changes?limit=3").await;
        let link = linked.headers["link"].to_str().unwrap().to_owned();
        assert_eq!(link, format!("</v1/changes?limit=3&cursor={}>; rel=\"next\"", cursor(&first)));
        let last = app.get(&format!("/v1/changes?cursor={}", cursor(&rest))).await;
        assert!(!last.headers.contains_key("link"), "a program that follows links comes to an end");
    })
    .await;
}

#[tokio::test]
async fn a_reader_may_begin_now() {
    run(async |app| {
        let [lead] = leads(app, 1).await[..] else { panic!("one lead") };
        let mut conn = app.database.connect().await;
        say(app, &mut conn, lead, json!("before")).await;

        let now = page(app, "now", 50).await;
        say(app, &mut conn, lead, json!("after")).await;

        assert_eq!((data(&now), &now["has_more"]), (vec![], &json!(false)));
        assert_eq!(data(&page(app, cursor(&now), 50).await), [json!("after")]);
    })
    .await;
}

#[tokio::test]
async fn an_empty_feed_gives_a_cursor_too() {
    run(async |app| {
        let empty = page(app, "", 50).await;
        let [lead] = leads(app, 1).await[..] else { panic!("one lead") };
        say(app, &mut app.database.connect().await, lead, json!("first")).await;

        assert_eq!((data(&empty), &empty["has_more"]), (vec![], &json!(false)));
        assert_eq!(data(&page(app, cursor(&empty), 50).await), [json!("first")]);
    })
    .await;
}

#[tokio::test]
async fn a_cursor_from_before_what_is_kept_is_gone_and_says_how_to_go_on() {
    run(async |app| {
        let [lead] = leads(app, 1).await[..] else { panic!("one lead") };
        let mut conn = app.database.connect().await;
        let start = page(app, "", 50).await;
        say(app, &mut conn, lead, json!("old")).await;
        say(app, &mut conn, lead, json!("old too")).await;
        let halfway = page(app, "", 1).await;
        let read = page(app, cursor(&halfway), 50).await;
        app.advance(TimeDelta::days(30) + TimeDelta::microseconds(1));
        say(app, &mut conn, lead, json!("new")).await;
        app.run_due().await;

        let missed = app.get(&format!("/v1/changes?cursor={}", cursor(&halfway))).await;

        assert_eq!((missed.status.as_u16(), missed.problem()), (410, "cursor_expired".to_owned()));
        assert!(missed.json()["message"].as_str().unwrap().contains("?cursor=now"), "{missed:?}");
        let at_first = app.get(&format!("/v1/changes?cursor={}", cursor(&start))).await;
        assert_eq!(at_first.problem(), "cursor_expired");
        assert_eq!(
            data(&page(app, cursor(&read), 50).await),
            [json!("new")],
            "who has read it misses nothing"
        );
        assert_eq!(data(&page(app, "", 50).await), [json!("new")], "without a cursor: what is kept");
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_is_up_to_date_stays_so_when_everything_is_forgotten() {
    run(async |app| {
        let [lead] = leads(app, 1).await[..] else { panic!("one lead") };
        let mut conn = app.database.connect().await;
        say(app, &mut conn, lead, json!("old")).await;
        let read = page(app, "", 50).await;
        app.advance(TimeDelta::days(31));
        app.run_due().await;
        assert_eq!(app.count("change").await, 0);

        assert_eq!(data(&page(app, cursor(&read), 50).await), [Value::Null; 0]);
        say(app, &mut conn, lead, json!("new")).await;
        assert_eq!(data(&page(app, cursor(&read), 50).await), [json!("new")]);
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_is_none_of_the_feeds_is_refused() {
    run(async |app| {
        for nonsense in ["bm9uc2Vuc2U", "%20", "NOW"] {
            let answer = app.get(&format!("/v1/changes?cursor={nonsense}")).await;
            assert_eq!(answer.problem(), "invalid_cursor", "{nonsense}");
        }
        // As after the database was restored from a copy that was older than the reader.
        let ahead = app.get("/v1/changes?cursor=OTk5").await;
        assert_eq!(ahead.problem(), "cursor_expired");
        for limit in ["0", "501", "x"] {
            assert_eq!(app.get(&format!("/v1/changes?limit={limit}")).await.problem(), "invalid_parameter");
        }
    })
    .await;
}

/// What one writer does: for each of its transactions the leads that change, in the order of the change, and whether it
/// is taken back in the end.
type Plan = Vec<(Vec<usize>, bool)>;

/// Changes leads as the service does: it locks them in the order of their ids, counts each one's changes up, and says so.
async fn write(app: &TestApp, leads: &[LeadId], plan: Plan) {
    let mut conn = app.database.connect().await;
    for (touched, kept) in plan {
        let mut tx = conn.begin().await.unwrap();
        let ids: Vec<Uuid> = touched.iter().map(|lead| leads[*lead].0).collect();
        sqlx::query("select from lead where id = any($1) order by id for no key update")
            .bind(&ids)
            .execute(&mut *tx)
            .await
            .unwrap();
        for lead in &touched {
            let count: i32 =
                sqlx::query_scalar("update lead set epoch = epoch + 1 where id = $1 returning epoch")
                    .bind(leads[*lead].0)
                    .fetch_one(&mut *tx)
                    .await
                    .unwrap();
            say(app, &mut tx, leads[*lead], json!(count)).await;
        }
        if kept { tx.commit().await.unwrap() } else { tx.rollback().await.unwrap() }
    }
}

/// Reads until there is nothing more, after the writers have ended.
async fn follow(app: &TestApp, ended: &tokio::sync::watch::Receiver<bool>) -> Vec<Value> {
    let (mut at, mut read) = (String::new(), Vec::new());
    loop {
        let last = *ended.borrow();
        let found = page(app, &at, 7).await;
        at = cursor(&found).to_owned();
        let more = found["has_more"] == true;
        read.extend(found["data"].as_array().unwrap().clone());
        if last && !more {
            return read;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_while_others_write_sees_every_change_once_and_each_leads_in_order() {
    const WRITERS: usize = 6;
    run(async |app| {
        let leads = leads(app, 4).await;
        let mut runner = TestRunner::deterministic();
        let transaction = (vec(0..4_usize, 1..4), prop::bool::weighted(0.8));
        let plans = vec(vec(transaction, 20), WRITERS).new_tree(&mut runner).unwrap().current();
        let (end, ended) = tokio::sync::watch::channel(false);
        let followers: Vec<_> = (0..2)
            .map(|_| {
                let (app, ended) = (app.clone(), ended.clone());
                tokio::spawn(async move { follow(&app, &ended).await })
            })
            .collect();

        let writers = plans.into_iter().map(|plan| {
            let (app, leads) = (app.clone(), leads.clone());
            tokio::spawn(async move { write(&app, &leads, plan).await })
        });
        join_all(writers).await.into_iter().for_each(Result::unwrap);
        end.send(true).unwrap();

        let mut seen: Vec<Vec<Value>> = Vec::new();
        for follower in followers {
            seen.push(follower.await.unwrap());
        }
        assert_eq!(seen[0], seen[1], "everybody sees the same order");
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for one in &seen[0] {
            let count = counts.entry(one["lead_id"].to_string()).or_default();
            *count += 1;
            assert_eq!(one["data"], *count, "a lead's changes come each once, in their order");
        }
        let written: i64 = sqlx::query_scalar("select sum(epoch) from lead")
            .fetch_one(&mut app.database.connect().await)
            .await
            .unwrap();
        assert_eq!(counts.values().sum::<i64>(), written);
    })
    .await;
}
