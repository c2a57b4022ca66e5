//! What is stored of every lead, compared with a replay of its log.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadscore::{
    models::Scored,
    platform::{clock::to_utc, ids::LeadId},
    scores::read_log,
};
use scoring::{Instant, profile::Fold};
use serde_json::Map;
use sqlx::{PgConnection, types::Json};

/// Under every version that leads are scored by, every lead has a state, and every stored number is what the pure
/// function says of the lead's log at the instant it was stored for; and, if an instant is given, what it says then.
pub(crate) async fn assert_stored_is_replay(
    conn: &mut PgConnection,
    scored: &Scored,
    now: Option<DateTime<Utc>>,
    said: &str,
) {
    let leads: Vec<LeadId> = sqlx::query_scalar("select id from lead where merged_into is null order by id")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    let histories = read_log(conn, &leads).await.unwrap();
    let profiles: HashMap<LeadId, Json<Fold>> =
        sqlx::query_as::<_, (LeadId, _)>("select lead_id, attributes from lead_profile")
            .fetch_all(&mut *conn)
            .await
            .unwrap()
            .into_iter()
            .collect();
    for (lead, history) in &histories {
        let kept = profiles.get(lead).map(|fold| fold.0.clone()).unwrap_or_default();
        assert_eq!(kept, history.profile, "{said}");
    }
    for version in scored.others.iter().map(|other| &other.version).chain([&scored.live]) {
        let rows: Vec<Row> = sqlx::query_as(
            "select lead_id, score, raw, fit, engagement, grade, band, as_of, next_change_at
            from score join lead on id = lead_id and score.stage = lead.stage
            where model_id = $1 order by lead_id",
        )
        .bind(version.id)
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        assert_eq!(rows.iter().map(|row| row.lead_id).collect::<Vec<_>>(), leads, "{said}");
        for row in rows {
            let events = &histories[&row.lead_id].events;
            let replayed = |at: DateTime<Utc>| {
                let at = Instant::from_micros(at.timestamp_micros());
                Row::of(row.lead_id, &scoring::evaluate(&version.model, &Map::new(), events, at).score)
            };
            assert_eq!(row, replayed(row.as_of), "{said}");
            if let Some(now) = now {
                let now = Row { as_of: row.as_of, ..replayed(now) };
                assert_eq!(row, now, "{said}: a change was slept through");
            }
        }
    }
}

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Row {
    lead_id: LeadId,
    score: i32,
    raw: i64,
    fit: i64,
    engagement: i64,
    grade: String,
    band: String,
    as_of: DateTime<Utc>,
    next_change_at: Option<DateTime<Utc>>,
}

impl Row {
    fn of(lead_id: LeadId, score: &scoring::Score) -> Row {
        Row {
            lead_id,
            score: i32::try_from(score.score).unwrap(),
            raw: score.raw.0,
            fit: score.fit.0,
            engagement: score.engagement.0,
            grade: score.grade.clone(),
            band: score.band.clone(),
            as_of: to_utc(score.as_of),
            next_change_at: score.next_change_at.map(to_utc),
        }
    }
}
