//! Identities that an earlier release kept apart become one as if they had been one from the start.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use leadscore::{
    intake::normalisation::{self, jobs::Normalise},
    platform::{ids::LeadId, sweep},
    scores::read_log,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use scoring::{Instant, profile::Fold};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use crate::harness::{TestApp, run};

/// How many random stories; `LEADSCORE_CASES` asks for more.
const CASES: u64 = 30;
/// Stands in a value that is to be written in an old form.
const OLD: &str = "-old";

/// Writes the identities marked as [`OLD`] in a form in which an earlier release kept them: with a byte order mark.
async fn age(app: &TestApp) {
    let mut conn = app.database.connect().await;
    for statement in [
        "update identity set value = chr(65279) || replace(value, '-old', '') where value like '%-old%'",
        "update identity_form set version = 0, reached = null, first_at = null, last_at = null",
    ] {
        sqlx::query(statement).execute(&mut conn).await.unwrap();
    }
}

/// Something that happens, in a world where some names are written in an old form, or in one where there never was any.
#[derive(Debug, Clone)]
struct Said {
    id: String,
    kind: &'static str,
    user: Option<&'static str>,
    email: Option<&'static str>,
    device: Option<&'static str>,
    at: DateTime<Utc>,
}

/// A world's names begin with its prefix; how it writes those that are marked as old.
struct World<'a> {
    prefix: String,
    mark: &'a str,
}

impl World<'_> {
    fn name(&self, name: &str) -> String {
        format!("{}{}", self.prefix, name.replace(OLD, self.mark))
    }

    async fn send(&self, app: &TestApp, said: &Said) -> Value {
        let name = |name: Option<&str>| name.map(|name| self.name(name));
        if said.kind == "alias" {
            let previous = name(said.email.or(said.device));
            let call = json!({"type": "alias", "messageId": said.id, "userId": name(said.user), "previousId": previous,
                "timestamp": said.at});
            return app.post("/v1/batch", json!({"batch": [call]}).to_string()).await.json();
        }
        let traits = (said.kind == "identify").then(|| json!({"title": said.id}));
        let email = name(said.email).map(|name| format!("{name}@acme.example"));
        let event = json!({"id": said.id, "type": said.kind, "occurred_at": said.at, "traits": traits,
            "properties": {"path": "/pricing"},
            "lead": {"user_id": name(said.user), "email": email, "anonymous_id": name(said.device)}});
        app.post("/v1/events", event.to_string()).await.json()
    }
}

fn plain(name: &str) -> &str {
    name.trim_end_matches(OLD)
}

/// What happens in a story, some of it more often.
const KINDS: [&str; 9] = [
    "identify",
    "identify",
    "identify",
    "page_viewed",
    "trial_started",
    "email_unsubscribed",
    "email_subscribed",
    "email_clicked",
    "alias",
];

/// A story: every pair of names, one of them in an old form, is one person, mailbox or device.
fn story(case: u64, now: DateTime<Utc>) -> Vec<Said> {
    let mut draw = StdRng::seed_from_u64(case);
    let mut said: Vec<Said> = Vec::new();
    for number in 0..draw.random_range(3..14_i64) {
        let kind = *KINDS.choose(&mut draw).unwrap();
        let early = draw.random_bool(0.5);
        let mut one = |names: &[&'static str], odds: f64| {
            draw.random_bool(odds).then(|| *names.choose(&mut draw).unwrap())
        };
        let mut next = Said {
            id: format!("e{number}"),
            kind,
            user: one(&["u1", "u1-old", "u2"], 0.5),
            email: one(&["m1", "m1-old", "m2"], 0.5),
            device: one(&["d1", "d1-old", "d2"], 0.6),
            at: now - TimeDelta::minutes(if early { 500 - number * 3 } else { 1 + number * 7 }),
        };
        if next.kind == "alias" {
            next.user = next.user.or(Some("u2"));
            // What was known before is a user id or an anonymous one.
            next.email = one(&["u1", "u1-old"], 0.5);
            next.device = next.device.or(Some("d2"));
            if next.user.map(plain) == next.email.map(plain) {
                // Whoever is the same is no alias.
                next.email = None;
            }
        } else if next.kind.starts_with("email_") {
            (next.email, next.device) = (next.email.or(Some("m1-old")), None);
        } else if next.user.is_none() && next.email.is_none() {
            next.device = next.device.or(Some("d1-old"));
        }
        said.push(next);
    }
    // The same event of one person, in both spellings.
    if let Some(again) = said.iter().find(|one| one.kind == "page_viewed").cloned() {
        let (user, email, device) = (again.user.map(other), again.email.map(other), again.device.map(other));
        said.push(Said { user, email, device, ..again });
    }
    said
}

/// The other spelling of a name, if it has two.
fn other(name: &'static str) -> &'static str {
    match name {
        "u1" => "u1-old",
        "u1-old" => "u1",
        "m1" => "m1-old",
        "m1-old" => "m1",
        "d1" => "d1-old",
        "d1-old" => "d1",
        other => other,
    }
}

/// What is known in a world, without the ids that differ from one to the other.
async fn known(app: &TestApp, world: &World<'_>) -> Value {
    let mut conn = app.database.connect().await;
    let (leads, events) = (leads(&mut conn, world).await, events(&mut conn, world).await);
    let mut suppressed: Vec<String> = app
        .pages("/v1/suppressions")
        .await
        .iter()
        .filter_map(|row| {
            Some(format!("{} {}", row["email"].as_str()?.strip_prefix(&world.prefix)?, row["state"]))
        })
        .collect();
    suppressed.sort();
    json!({"leads": leads, "events": events, "suppressed": suppressed})
}

/// The leads of a world, with their identities and consents.
async fn leads(conn: &mut PgConnection, world: &World<'_>) -> Vec<Value> {
    sqlx::query_scalar(
        "select jsonb_build_object('score', s.score, 'raw', s.raw, 'fit', s.fit, 'engagement', s.engagement,
                'do_not_contact', s.do_not_contact, 'profile', coalesce(p.attributes, '{}'), 'identities', own.identities,
                'consent', own.consent)
        from (
            select span.lead_id,
                jsonb_agg(distinct jsonb_build_object('kind', i.kind, 'value', substr(i.value, length($2) + 1),
                    'since', span.since, 'until', span.until)) as identities,
                jsonb_agg(distinct jsonb_build_object('channel', c.channel, 'state', c.state, 'since', c.since))
                    filter (where c.channel is not null) as consent
            from identity i join identity_span span on span.identity_id = i.id
            left join consent c on c.identity_id = i.id and c.since >= span.since
                and (span.until is null or c.since < span.until)
            where i.value like $1 group by span.lead_id
        ) own
        join score s on s.lead_id = own.lead_id left join lead_profile p on p.lead_id = own.lead_id
        order by own.identities::text",
    )
    .bind(format!("{}%", world.prefix))
    .bind(&world.prefix)
    .fetch_all(conn)
    .await
    .unwrap()
}

/// The events of a world, with their identities.
async fn events(conn: &mut PgConnection, world: &World<'_>) -> Vec<(String, String)> {
    sqlx::query_as(
        "select i.kind || ':' || substr(i.value, length($2) + 1), e.id from identity i join event e on e.identity_id = i.id
        where i.value like $1 order by 1, 2",
    )
    .bind(format!("{}%", world.prefix))
    .bind(&world.prefix)
    .fetch_all(conn)
    .await
    .unwrap()
}

/// Every lead's standing is what its log says.
async fn check_replay(app: &TestApp) {
    let mut conn = app.database.connect().await;
    let leads: Vec<LeadId> = sqlx::query_scalar("select id from lead where merged_into is null")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    let histories = read_log(&mut conn, &leads).await.unwrap();
    let live = app.app.models.live.current(&mut conn).await.unwrap();
    let rows: Vec<(LeadId, i64, i64, i64, DateTime<Utc>)> =
        sqlx::query_as("select lead_id, raw, fit, engagement, as_of from score")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    assert_eq!(rows.iter().map(|row| row.0).collect::<BTreeSet<_>>(), leads.into_iter().collect());
    for (lead, raw, fit, engagement, as_of) in rows {
        let at = Instant::from_micros(as_of.timestamp_micros());
        let history = &histories[&lead];
        let score = scoring::evaluate(&live.model, &Map::new(), &history.events, at).score;
        assert_eq!((raw, fit, engagement), (score.raw.0, score.fit.0, score.engagement.0), "{lead}");
        let stored: Option<sqlx::types::Json<Fold>> =
            sqlx::query_scalar("select attributes from lead_profile where lead_id = $1")
                .bind(lead)
                .fetch_optional(&mut conn)
                .await
                .unwrap();
        assert_eq!(stored.map(|fold| fold.0).unwrap_or_default(), history.profile, "{lead}");
    }
}

/// Brings identities into their normal form: at once, on two instances at once, or killed on the way.
async fn normalise(app: &TestApp, case: u64) {
    match case % 3 {
        0 => {}
        1 => {
            let other = app.second_instance().await;
            let (one, two) = tokio::join!(
                normalisation::ensure(&app.app.lifecycle),
                normalisation::ensure(&other.app.lifecycle)
            );
            one.and(two).unwrap();
            other.app.shut_down().await;
        }
        _ => {
            let killed = app.app.clone();
            let task = tokio::spawn(async move { normalisation::ensure(&killed.lifecycle).await });
            for _ in 0..case {
                tokio::task::yield_now().await;
            }
            task.abort();
            let _ = task.await;
        }
    }
    normalisation::ensure(&app.app.lifecycle).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_one_stands_as_if_it_had_been_one_from_the_start() {
    let cases = std::env::var("LEADSCORE_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    run(async |app| {
        for case in 0..cases {
            let old = World { prefix: format!("o{case}."), mark: OLD };
            let new = World { prefix: format!("n{case}."), mark: "" };
            let story = story(case, app.now());
            for said in &story {
                app.advance(TimeDelta::seconds(1));
                old.send(app, said).await;
                new.send(app, said).await;
            }
            age(app).await;

            normalise(app, case).await;

            app.run_due().await;
            let (stands, expected) = (known(app, &old).await, known(app, &new).await);
            assert_eq!(stands, expected, "case {case}: {story:#?}");
            check_replay(app).await;
            let again = World { prefix: old.prefix.clone(), mark: "\u{feff}" };
            for said in &story {
                let answer = again.send(app, said).await;
                let known = answer["duplicates"] == 1 || answer["rejected"][0]["code"] != "id_conflict";
                assert!(known && answer["accepted"] == 0, "case {case}: {answer} {said:?}");
            }
            assert_eq!(known(app, &old).await, expected, "case {case}, sent again");
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_follows_the_feed_is_told_of_leads_that_have_become_one() {
    run(async |app| {
        app.events(json!([
            {"type": "trial_started", "lead": {"email": "m-old@acme.example"}},
            {"type": "demo_requested", "lead": {"email": "m@acme.example"}},
        ]))
        .await;
        let before: Vec<Value> = app.pages("/v1/leads").await;
        age(app).await;

        assert_eq!(normalisation::ensure(&app.app.lifecycle).await.unwrap(), 1);
        assert_eq!(normalisation::ensure(&app.app.lifecycle).await.unwrap(), 0, "once");

        app.run_due().await;
        let heir = app.only_lead().await;
        for lead in before {
            let found = app.get(&format!("/v1/leads/{}", lead["id"].as_str().unwrap())).await.json();
            assert_eq!(found["id"], heir["id"]);
        }
        let changes = app.get("/v1/changes").await.json();
        let merged =
            changes["data"].as_array().unwrap().iter().filter(|one| one["type"] == "lead.merged").count();
        assert_eq!(merged, 1, "{changes}");
    })
    .await;
}

#[tokio::test]
async fn a_link_in_a_mail_that_is_out_still_unsubscribes() {
    run(async |app| {
        app.events(json!({"type": "trial_started", "lead": {"email": "m-old@acme.example"}})).await;
        let mail = json!({"email": "m-old@acme.example", "message_id": "mail-1"});
        let links = app.post("/v1/links", mail.to_string()).await.json();
        age(app).await;
        normalisation::ensure(&app.app.lifecycle).await.unwrap();

        let path = links["unsubscribe_url"].as_str().unwrap().replace("http://leads.test", "");
        assert_eq!(app.post(&path, "List-Unsubscribe=One-Click").await.status, 200);

        let lead = app.only_lead().await;
        assert_eq!(
            (&lead["email"], &lead["consent"]["channels"]["email"]["state"]),
            (&json!("m@acme.example"), &json!("withdrawn"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_placeholder_of_an_earlier_release_stays_what_it_is() {
    run(async |app| {
        app.events(json!({"type": "trial_started", "lead": {"user_id": "undefined-old"}})).await;
        age(app).await;

        assert_eq!(normalisation::ensure(&app.app.lifecycle).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_an_earlier_release_writes_beside_this_one_is_brought_in_within_the_hour() {
    run(async |app| {
        normalisation::ensure(&app.app.lifecycle).await.unwrap();
        app.events(json!([
            {"type": "trial_started", "lead": {"email": "m-old@acme.example"}},
            {"type": "trial_started", "lead": {"email": "m@acme.example"}},
        ]))
        .await;
        let written =
            "update identity set value = chr(65279) || replace(value, '-old', '') where value like '%-old%'";
        sqlx::query(written).execute(&mut app.database.connect().await).await.unwrap();
        assert_eq!(sweep::run_once::<Normalise>(&app.app.lifecycle).await.unwrap(), 0, "not yet");

        app.advance(TimeDelta::hours(1));
        while sweep::run_once::<Normalise>(&app.app.lifecycle).await.unwrap() > 0 {}

        app.run_due().await;
        app.only_lead().await;
    })
    .await;
}
