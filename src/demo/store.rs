//! SQL of the stage: a schema beside the service's tables, in which a story is played before it moves in.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool, postgres::PgConnectOptions};

/// The schema of the stage.
const STAGE: &str = "leadscore_demo";

/// The tables whose rows stay on the stage. They hold what the service decided (models, policy, queues), what belongs
/// to the stage itself (its keys, the state of its sweeps), and what a story does not touch. The rows of all other
/// tables move.
const STAY: [&str; 19] = [
    "_sqlx_migrations",
    "api_key",
    "change",
    "change_feed",
    "identity_form",
    "lead_words_made",
    "link_secret",
    "mail_source",
    "policy",
    "queue",
    "rejected_events",
    "schema_floor",
    "scored_model",
    "scoring_model",
    "webhook_attempt",
    "webhook_delivery",
    "webhook_endpoint",
    "webhook_lane",
    "webhook_secret",
];

/// Returns the options of a connection to the stage. The stage need not survive a crash, so commits do not wait for the
/// disk.
pub(super) fn on_stage(database: PgConnectOptions) -> PgConnectOptions {
    database.options([("search_path", STAGE), ("synchronous_commit", "off")])
}

/// Locks the demo for as long as the connection lasts. Returns false if another demo has the lock.
pub(super) async fn lock(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("select pg_try_advisory_lock(hashtext('leadscore demo'))").fetch_one(conn).await
}

/// Makes an empty stage. Removes one that a killed demo has left.
pub(super) async fn set_up(conn: &mut PgConnection) -> sqlx::Result<()> {
    clear(conn).await?;
    conn.execute(AssertSqlSafe(format!("create schema {STAGE}"))).await?;
    Ok(())
}

/// Removes the stage.
pub(super) async fn clear(conn: &mut PgConnection) -> sqlx::Result<()> {
    conn.execute(AssertSqlSafe(format!("drop schema if exists {STAGE} cascade"))).await?;
    Ok(())
}

/// Whether there is no key, which means that the service never started.
pub(super) async fn has_no_keys(pool: &PgPool) -> sqlx::Result<bool> {
    sqlx::query_scalar("select not exists (select from api_key)").fetch_one(pool).await
}

/// Returns the schema of the service's tables, quoted for SQL.
pub(super) async fn home(pool: &PgPool) -> sqlx::Result<String> {
    sqlx::query_scalar("select quote_ident(current_schema())").fetch_one(pool).await
}

/// Copies the models, the policy and the queues of the service to the stage.
pub(super) async fn copy_decisions(stage: &PgPool, home: &str) -> sqlx::Result<()> {
    let scored = format!("select model_id from {home}.scored_model where dropped_at is null");
    for statement in [
        format!("insert into scoring_model select * from {home}.scoring_model where id in ({scored})"),
        format!("insert into scored_model select * from {home}.scored_model where dropped_at is null"),
        format!("insert into policy select * from {home}.policy"),
        "delete from queue".to_owned(),
        format!("insert into queue select * from {home}.queue"),
    ] {
        stage.execute(AssertSqlSafe(statement)).await?;
    }
    Ok(())
}

/// Whether the service still scores leads by the same versions as the stage.
pub(super) async fn decisions_are_the_same(conn: &mut PgConnection) -> sqlx::Result<bool> {
    let versions = |table: &str| {
        format!(
            "select model_id, live_since from {table} where dropped_at is null and rebuilt_at is not null"
        )
    };
    let (here, there) = (versions("scored_model"), versions(&format!("{STAGE}.scored_model")));
    let none_under_way =
        "not exists (select from scored_model where dropped_at is null and rebuilt_at is null)";
    let same = format!("select not exists (({here}) except ({there})) and {none_under_way}");
    sqlx::query_scalar(AssertSqlSafe(same)).fetch_one(conn).await
}

/// Moves the story's rows into the service's tables. Of the changes, only those move that the feed still keeps.
pub(super) async fn move_in(conn: &mut PgConnection, changes_since: DateTime<Utc>) -> sqlx::Result<()> {
    for table in moving(conn).await? {
        let columns: Vec<(String, bool)> = sqlx::query_as(
            "select quote_ident(column_name), is_identity = 'YES' from information_schema.columns
            where table_schema = $1 and table_name = $2 and is_generated = 'NEVER' order by ordinal_position",
        )
        .bind(STAGE)
        .bind(&table)
        .fetch_all(&mut *conn)
        .await?;
        // Identity columns get new numbers, in the same order.
        let given: Vec<&str> =
            columns.iter().filter(|(_, counts)| !counts).map(|(name, _)| name.as_str()).collect();
        let order = columns.iter().find(|(_, counts)| *counts).map_or("1", |(name, _)| name.as_str());
        let given = given.join(", ");
        let kept = if table == "outbox" { "where at >= $1" } else { "where $1::timestamptz is not null" };
        // The service may know the types of events already. All other rows are new.
        let known = if table == "event_type" { "on conflict do nothing" } else { "" };
        let statement = format!(
            "insert into {table} ({given}) select {given} from {STAGE}.{table} {kept} order by {order} {known}"
        );
        sqlx::query(AssertSqlSafe(statement)).bind(changes_since).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Returns the tables that move. Each stands after the tables to which it refers.
async fn moving(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
        where relnamespace = $1::text::regnamespace and relkind = 'r' and relname <> all($2) order by relname",
    )
    .bind(STAGE)
    .bind(&STAY[..])
    .fetch_all(&mut *conn)
    .await?;
    let references: Vec<(String, String)> = sqlx::query_as(
        "select referring.relname::text, referred.relname::text
        from pg_constraint
        join pg_class referring on referring.oid = conrelid
        join pg_class referred on referred.oid = confrelid
        where contype = 'f' and connamespace = $1::text::regnamespace",
    )
    .bind(STAGE)
    .fetch_all(&mut *conn)
    .await?;
    Ok(in_order(tables, &references))
}

/// Orders tables so that each stands after the tables to which it refers.
fn in_order(mut tables: Vec<String>, references: &[(String, String)]) -> Vec<String> {
    let mut ordered = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waits = |table: &String| {
            references.iter().any(|(from, to)| from == table && to != table && tables.contains(to))
        };
        let (waiting, ready): (Vec<String>, Vec<String>) = tables.iter().cloned().partition(waits);
        if ready.is_empty() {
            // These tables refer to one another in a circle. Their constraints must be deferred, so every order will
            // do.
            ordered.extend(waiting);
            break;
        }
        ordered.extend(ready);
        tables = waiting;
    }
    ordered
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn a_table_comes_after_those_that_it_refers_to() {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let refers = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let references = [
            refers("claim", "lead"),
            refers("lead", "lead"),
            refers("answer", "claim"),
            refers("lead", "policy"),
        ];
        assert_eq!(in_order(named(&["answer", "claim", "lead"]), &references), ["lead", "claim", "answer"]);
    }

    /// Every new table moves. If its rows are the service's own, so that they cannot move, it must be named among those that
    /// stay: this list makes whoever adds a table decide.
    #[test]
    fn it_is_decided_of_every_table_whether_a_story_writes_it() {
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let texts =
            fs::read_dir(migrations).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        let made: BTreeSet<String> = texts
            .flat_map(|text| {
                let names = text.lines().filter_map(|line| line.strip_prefix("create table "));
                names.filter_map(|rest| Some(rest.split_whitespace().next()?.to_owned())).collect::<Vec<_>>()
            })
            .collect();
        let moves: Vec<&str> =
            made.iter().map(String::as_str).filter(|table| !STAY.contains(table)).collect();
        let decided = [
            "checklist_answer",
            "claim",
            "consent",
            "event",
            "event_type",
            "former_identity",
            "handoff",
            "identity",
            "identity_link",
            "identity_span",
            "lead",
            "lead_merge",
            "lead_profile",
            "lead_words",
            "outbox",
            "outcome",
            "rollback_state",
            "score",
            "transition",
        ];
        assert_eq!(
            moves, decided,
            "a new table: does a story write it, or does it belong among those that stay?"
        );
        assert!(STAY.iter().skip(1).all(|table| made.contains(*table)), "a table that stays exists");
    }
}
