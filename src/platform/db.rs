//! The connection pools and the schema.

use std::{sync::LazyLock, time::Duration};

use anyhow::Context;
use backon::{ExponentialBuilder, Retryable};
use sqlx::{
    Connection, Executor, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Every migration, embedded. The database may have newer ones: `schema_floor` says whether this program can work with them.
pub static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!();
    migrations.set_ignore_missing(true);
    migrations
});

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
    let mut first = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options))
        .await
        .context("the database does not answer; check DATABASE_URL")?
        .context("cannot reach the database; check DATABASE_URL")?;
    let off = settings_off(&mut first).await?;
    first.close().await?;
    warn_of(&off);
    // What was acknowledged is on disk, whatever the database does by default.
    let durable = off.iter().any(|name| name == "synchronous_commit").then_some(("synchronous_commit", "on"));
    let options = options.options(durable);
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

/// Those settings by which what is acknowledged is on disk after a crash that are off.
async fn settings_off(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"-- settings_off
        select name as "name!" from pg_settings
        where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name"#
    )
    .fetch_all(conn)
    .await
}

fn warn_of(off: &[String]) {
    for name in off {
        if name == "synchronous_commit" {
            tracing::warn!(
                "the database has synchronous_commit=off; the service turns it on for its own sessions"
            );
        } else {
            tracing::warn!(
                "the database has {name}=off: a crash of its machine may lose or corrupt what was acknowledged"
            );
        }
    }
}

/// Brings the schema up to date; several instances may try at once.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    let fits = floor(pool)
        .await
        .context("cannot look at the database's schema")?
        .is_none_or(|floor| floor <= newest());
    anyhow::ensure!(fits, "the database's schema is too new for this version; run a newer one");
    MIGRATIONS.run(pool).await.context("cannot bring the database's schema up to date")
}

/// The newest migration that this program brings: its version, as far as the schema is concerned.
fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().expect("there are migrations")
}

/// The oldest version of the program that may run on this schema, by its newest migration; none where no migration has said.
async fn floor(pool: &PgPool) -> sqlx::Result<Option<i64>> {
    if !has_floor(pool).await? {
        return Ok(None);
    }
    sqlx::query_scalar!(
        "-- floor
        select migration from schema_floor"
    )
    .fetch_optional(pool)
    .await
}

/// Whether the schema has the table of the oldest version.
async fn has_floor(pool: &PgPool) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"-- has_floor
        select to_regclass('schema_floor') is not null as "has!""#
    )
    .fetch_one(pool)
    .await
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
        ("client_min_messages", "error"), // a transaction that was left open is warned of below
    ]);
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(PATIENCE)
        // sqlx 0.9.0 can return a connection inside a transaction that a dropped future had begun; whoever
        // borrowed it next would lose what it wrote (its issues 4385 and 4393).
        .after_release(|connection, _| Box::pin(leave_no_transaction(connection)))
        .connect_lazy_with(options)
}

/// Ends the transaction that is open, if there is one. A `rollback` alone would have the server's log warn each time that
/// there is none; after a `begin` there always is.
async fn leave_no_transaction(connection: &mut PgConnection) -> sqlx::Result<bool> {
    // A transaction that has failed takes no `begin`.
    if connection.execute("begin; rollback").await.is_err() {
        connection.execute("rollback").await?;
    }
    Ok(true)
}

/// Whether the schema has all that this version needs, and nothing with which it cannot work.
pub async fn is_fit(pool: &PgPool) -> sqlx::Result<bool> {
    let applied = sqlx::query_scalar!(
        "-- is_fit
        select version from _sqlx_migrations where success"
    )
    .fetch_all(pool)
    .await?;
    let all = MIGRATIONS.iter().all(|migration| applied.contains(&migration.version));
    Ok(all && floor(pool).await?.is_none_or(|floor| floor <= newest()))
}

/// Whether another transaction was in the way (a deadlock, a serialisation failure, a lock that took too long): the
/// same again may succeed.
pub fn is_collision(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["40001", "40P01", "55P03"].contains(&code.as_ref()))
}

/// What is stored is not as the service writes it. `what` says what is wrong with which row.
pub fn damaged(what: impl Into<String>) -> sqlx::Error {
    sqlx::Error::Decode(what.into().into())
}

/// How often a piece of work is tried again while other transactions are in its way.
const RETRIES: usize = 7;
/// How long the first wait is between two tries. Each wait is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(2);

/// An error that other transactions may have caused.
pub trait Contended {
    /// Whether the same work may succeed when it is done again.
    fn is_contended(&self) -> bool;
}

impl Contended for sqlx::Error {
    fn is_contended(&self) -> bool {
        is_collision(self)
    }
}

/// Does work again while other transactions are in its way, up to eight times. Each wait is twice as long as the one before;
/// the first one takes 2 ms.
pub async fn retrying<T, E, F>(work: impl FnMut() -> F) -> Result<T, E>
where
    E: Contended,
    F: Future<Output = Result<T, E>>,
{
    let waits = ExponentialBuilder::new().with_min_delay(FIRST_WAIT).with_max_times(RETRIES);
    work.retry(waits).when(E::is_contended).await
}

/// Whether the database does not take what a statement was given: a character, a number, a time or a length that it
/// cannot hold. Others that are given the same will be refused too.
pub fn is_content(error: &sqlx::Error) -> bool {
    const CODES: [&str; 7] = ["22001", "22003", "22008", "22021", "22P02", "22P05", "54000"];
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Encode(_)) || code.is_some_and(|code| CODES.contains(&code.as_ref()))
}
