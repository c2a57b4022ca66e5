//! The connection pools and the schema.

use std::time::Duration;

use anyhow::Context;
use sqlx::{
    Connection, Executor, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Every migration, embedded.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long a connection to the database may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections for requests, and for the writers of the log.
#[derive(Debug, Clone)]
pub struct Pools {
    /// For requests and sweeps.
    pub main: PgPool,
    /// For the writers alone, so that readers can never make an event wait. Its planner is told that every
    /// statement is a look-up by key: a plan made while a table was small must not scan it once it is large.
    pub writers: PgPool,
}

/// Connects, and says plainly why if that fails.
pub async fn connect(options: PgConnectOptions, readers: u32, writers: u32) -> anyhow::Result<Pools> {
    tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options))
        .await
        .context("the database does not answer; check DATABASE_URL")?
        .context("cannot reach the database; check DATABASE_URL")?
        .close()
        .await?;
    // A list's filters are parameters: each call is planned for those that it has. A walk through a queue passes over the
    // leads that are held or rest by a hash of them, which has to fit.
    let lists = options.clone().options([("plan_cache_mode", "force_custom_plan"), ("work_mem", "32MB")]);
    let lookups = options.options([
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("plan_cache_mode", "force_generic_plan"),
    ]);
    Ok(Pools { main: pool(lists, readers), writers: pool(lookups, writers) })
}

/// Brings the schema up to date; several instances may try at once.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    MIGRATIONS.run(pool).await.context("cannot bring the database's schema up to date")
}

fn pool(options: PgConnectOptions, size: u32) -> PgPool {
    let options = options.application_name("leadscore").options([
        ("idle_in_transaction_session_timeout", "30s"),
        ("jit", "off"), // compiling takes longer than any statement here may
        ("lock_timeout", "30s"),
        ("statement_timeout", "60s"),
        // Whoever waits for a lock sees, once it has it, what the one before has committed.
        ("default_transaction_isolation", "read committed"),
        ("timezone", "UTC"),
        ("client_min_messages", "error"), // the rollback below warns when there was nothing to undo
    ]);
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(PATIENCE)
        // sqlx 0.9.0 can return a connection inside a transaction that a dropped future had begun; whoever
        // borrowed it next would lose what it wrote (its issues 4385 and 4393).
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.execute("rollback").await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

/// Whether the schema is exactly this version's.
pub async fn is_current(pool: &PgPool) -> sqlx::Result<bool> {
    let applied: Vec<i64> =
        sqlx::query_scalar("select version from _sqlx_migrations where success order by version")
            .fetch_all(pool)
            .await?;
    Ok(applied.into_iter().eq(MIGRATIONS.iter().map(|migration| migration.version)))
}

/// Whether another transaction was in the way (a deadlock, a serialisation failure, a lock that took too long): the
/// same again may succeed.
pub fn is_collision(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["40001", "40P01", "55P03"].contains(&code.as_ref()))
}

/// Whether the database does not take what a statement was given: a character, a number, a time or a length that it
/// cannot hold. Others that are given the same will be refused too.
pub fn is_content(error: &sqlx::Error) -> bool {
    const CODES: [&str; 7] = ["22001", "22003", "22008", "22021", "22P02", "22P05", "54000"];
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Encode(_)) || code.is_some_and(|code| CODES.contains(&code.as_ref()))
}
