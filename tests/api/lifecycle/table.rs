//! The table of moves: the database and the documentation hold it too.

use leadscore::leads::{Cause, Stage};
use serde_json::json;
use strum::IntoEnumIterator;

use super::passages;
use crate::harness::{
    run,
    sales::{act, answered, mql, open},
};

#[tokio::test]
async fn of_two_leads_the_stage_that_is_further_on_holds_with_what_belongs_to_it() {
    run(async |app| {
        let former = mql(app, "u1").await;
        answered(app, &open(app, &former).await, "recycle", json!({"until": "2026-09-01T00:00:00Z"})).await;
        act(app, "u2", "x", "page_viewed").await;

        app.post("/v1/alias", json!({"messageId": "m", "userId": "u2", "previousId": "u1"}).to_string())
            .await;

        let heir = app.lead("u2").await;
        assert_eq!((&heir["stage"], &heir["cycle"]), (&json!("recycled"), &json!(1)));
        let until: String =
            sqlx::query_scalar("select recycled_until::text from lead where merged_into is null")
                .fetch_one(&mut app.database.connect().await)
                .await
                .unwrap();
        assert_eq!(until, "2026-09-01 00:00:00+00");
        assert_eq!(passages(app).await.last().unwrap().split(" (").next().unwrap(), "lead > recycled: merge");
    })
    .await;
}

#[tokio::test]
async fn the_database_itself_keeps_stage_and_what_belongs_to_it_together() {
    run(async |app| {
        mql(app, "u1").await;
        let mut conn = app.database.connect().await;
        for (change, constraint) in [
            ("stage = 'recycled', mql_by = null", "lead_recycled_is_dated"),
            ("recycled_at = now()", "lead_recycled_is_dated"),
            ("recycled_until = now()", "lead_recycled_until_only_while_recycled"),
            ("mql_by = null", "lead_mql_has_a_cause"),
            ("mql_by = 'mood'", "lead_mql_by_known"),
        ] {
            let statement = sqlx::AssertSqlSafe(format!("update lead set {change}"));
            let error = sqlx::query(statement).execute(&mut conn).await.unwrap_err();
            let broken = error.as_database_error().and_then(|error| error.constraint());
            assert_eq!(broken, Some(constraint), "{change}");
        }
    })
    .await;
}

#[test]
fn the_table_in_the_documentation_is_that_of_the_code() {
    let text = include_str!("../../../docs/qualification.md");
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, cause, from, to, _] = cells[..] else { return None };
        let named = Cause::iter().find(|one| cause == format!("`{}`", one.as_str()))?;
        Some((named, from.split(", ").collect::<Vec<_>>(), to.split(", ").collect::<Vec<_>>()))
    });
    let rows: Vec<_> = rows.collect();
    for cause in Cause::iter().filter(|cause| !matches!(cause, Cause::Merge | Cause::Unmerge)) {
        for from in Stage::iter() {
            for to in Stage::iter() {
                let said = rows.iter().any(|(named, sources, targets)| {
                    *named == cause && sources.contains(&from.as_str()) && targets.contains(&to.as_str())
                });
                assert_eq!(cause.allows(from, to), said, "{cause:?}: {from:?} > {to:?}");
            }
        }
    }
}
