//! The connection pools and the schema.

use std::{sync::LazyLock, time::Duration};

use anyhow::Context;
use backon::{ExponentialBuilder, Retryable};
use sqlx::{
    Connection, Executor, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Every migration, embedded in the program.
///
/// A newer program may have applied further migrations to the database. `schema_floor` says whether this program can
/// still work with them.
pub static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!();
    migrations.set_ignore_missing(true);
    migrations
});

/// How long to wait for a connection to the database.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections for requests, and for the writers of the log.
#[derive(Debug, Clone)]
pub struct Pools {
    /// For requests and sweeps.
    pub main: PgPool,
    /// For the writers only, so that readers never make an event wait. The planner of this pool may only look rows up
    /// by key. So it never scans a table, as a plan would that was made while the table was small.
    pub writers: PgPool,
}

/// Connects to the database and makes the pools, of at most `readers` and `writers` connections.
///
/// # Errors
/// If the database cannot be reached, or does not answer within 10 seconds. The error says to check `DATABASE_URL`.
pub async fn connect(options: PgConnectOptions, readers: u32, writers: u32) -> anyhow::Result<Pools> {
    let mut first = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options))
        .await
        .context("the database does not answer; check DATABASE_URL")?
        .context("cannot reach the database; check DATABASE_URL")?;
    let off = settings_off(&mut first).await?;
    first.close().await?;
    warn_of(&off);
    // An acknowledged event must be on disk, also where the database's default says otherwise.
    let durable = off.iter().any(|name| name == "synchronous_commit").then_some(("synchronous_commit", "on"));
    let options = options.options(durable);
    // A list's filters are parameters, so each call gets a plan of its own for the filters that it uses. A walk through
    // a queue skips held and resting leads by a hash table, which must fit into `work_mem`.
    let lists = options.clone().options([("plan_cache_mode", "force_custom_plan"), ("work_mem", "32MB")]);
    let lookups = options.options([
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("plan_cache_mode", "force_generic_plan"),
    ]);
    Ok(Pools { main: pool(lists, readers), writers: pool(lookups, writers) })
}

/// Returns the names of the settings that are off although durability after a crash needs them.
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

/// Brings the schema up to date. Several instances may do so at once.
///
/// # Errors
/// If the schema is too new for this program, or a migration fails.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    let fits = floor(pool)
        .await
        .context("cannot look at the database's schema")?
        .is_none_or(|floor| floor <= newest());
    anyhow::ensure!(fits, "the database's schema is too new for this version; run a newer one");
    MIGRATIONS.run(pool).await.context("cannot bring the database's schema up to date")
}

/// Returns the version of the newest migration that this program has.
fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().expect("there are migrations")
}

/// Returns the migration that a program must at least have to run on this schema. `None` if no migration has set one.
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

/// Whether the schema has the table `schema_floor`.
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
        ("jit", "off"), // compiling takes longer than our statements do
        ("lock_timeout", "30s"),
        ("statement_timeout", "60s"),
        // A transaction that has waited for a lock must then see what the transaction before it committed.
        ("default_transaction_isolation", "read committed"),
        ("timezone", "UTC"),
        ("client_min_messages", "error"), // else the `begin` below would warn of each transaction that was left open
    ]);
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(PATIENCE)
        // sqlx 0.9.0 can return a connection to the pool inside a transaction that a dropped future began. The next
        // borrower would then lose what it writes (sqlx's issues 4385 and 4393).
        .after_release(|connection, _| Box::pin(leave_no_transaction(connection)))
        .connect_lazy_with(options)
}

/// Rolls back the transaction that is open on a connection, if there is one.
///
/// A `rollback` without a transaction would write a warning to the server's log. The `begin` before it makes sure that
/// there is one.
async fn leave_no_transaction(connection: &mut PgConnection) -> sqlx::Result<bool> {
    // Inside a failed transaction, `begin` is an error.
    if connection.execute("begin; rollback").await.is_err() {
        connection.execute("rollback").await?;
    }
    Ok(true)
}

/// Whether this program can work with the schema: every migration that it needs was applied, and the schema is not too
/// new.
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

/// Whether a statement failed because another transaction was in its way: a deadlock, a serialisation failure, or a
/// lock that took too long. The same work may succeed when it is done again.
pub fn is_collision(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["40001", "40P01", "55P03"].contains(&code.as_ref()))
}

/// Makes the error for a row that is not as the service writes it. `what` names the row and says what is wrong.
pub fn damaged(what: impl Into<String>) -> sqlx::Error {
    sqlx::Error::Decode(what.into().into())
}

/// How often work is repeated while other transactions are in its way.
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

/// Does work, and repeats it while other transactions are in its way: at most eight times in all. The first wait takes
/// 2 ms, and each wait is twice as long as the one before.
///
/// # Errors
/// The error of the last try, or the first error that is not contention.
pub async fn retrying<T, E, F>(work: impl FnMut() -> F) -> Result<T, E>
where
    E: Contended,
    F: Future<Output = Result<T, E>>,
{
    let waits = ExponentialBuilder::new().with_min_delay(FIRST_WAIT).with_max_times(RETRIES);
    work.retry(waits).when(E::is_contended).await
}

/// Whether the database refused a value of a statement: a character, a number, a time or a length that it cannot store.
/// Repeating the statement with the same value fails again.
pub fn is_content(error: &sqlx::Error) -> bool {
    const CODES: [&str; 7] = ["22001", "22003", "22008", "22021", "22P02", "22P05", "54000"];
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Encode(_)) || code.is_some_and(|code| CODES.contains(&code.as_ref()))
}
