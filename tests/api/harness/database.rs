//! One cluster a run, one database a test.

use std::{
    path::PathBuf,
    str::FromStr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use leadscore::platform::{db, ids::digest};
use private_postgres::{Cluster, Settings};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

/// How often to look for a transaction that was left open.
const LOOKS: usize = 5_000;

/// A database that nobody else uses.
#[derive(Clone)]
pub(crate) struct TestDatabase {
    name: String,
}

static CLUSTER: OnceLock<Cluster> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);
static TEMPLATE: OnceCell<String> = OnceCell::const_new();

fn cluster() -> &'static Cluster {
    CLUSTER.get_or_init(|| {
        let settings = Settings {
            root: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pg"),
            supervisor: vec![env!("CARGO_BIN_EXE_leadscore").into(), "pg-supervise".into()],
            grace: Duration::from_secs(5),
            durable: false,
            max_connections: 200,
        };
        Cluster::start(&settings).unwrap()
    })
}

async fn connect(database: &str) -> PgConnection {
    PgConnection::connect(&cluster().url(database)).await.unwrap()
}

impl TestDatabase {
    /// A copy of the template that holds the current schema.
    pub(crate) async fn create() -> TestDatabase {
        let template = TEMPLATE.get_or_init(template).await;
        let name = format!("t_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut server = connect("postgres").await;
        server.execute(AssertSqlSafe(format!("create database {name} template {template}"))).await.unwrap();
        TestDatabase { name }
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::from_str(&cluster().url(&self.name)).unwrap()
    }

    /// A connection beside the service's own.
    pub(crate) async fn connect(&self) -> PgConnection {
        connect(&self.name).await
    }

    /// Whether a statement waits for a lock.
    pub(crate) async fn is_blocked(&self, statement: &str) -> bool {
        let waits = "select exists (select from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query like '-- ' || $1 || '%')";
        sqlx::query_scalar(waits).bind(statement).fetch_one(&mut self.connect().await).await.unwrap()
    }

    /// How many transactions are open. A transaction that was dropped is rolled back in the background: this waits
    /// for it.
    pub(crate) async fn open_transactions(&self) -> i64 {
        let mut conn = self.connect().await;
        let mut open = 0;
        for _ in 0..LOOKS {
            open = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                where datname = current_database() and backend_type = 'client backend'
                    and xact_start is not null and pid <> pg_backend_pid()",
            )
            .fetch_one(&mut conn)
            .await
            .unwrap();
            if open == 0 {
                break;
            }
        }
        open
    }

    pub(crate) async fn remove(&self) {
        let mut server = connect("postgres").await;
        server
            .execute(AssertSqlSafe(format!("drop database if exists {} with (force)", self.name)))
            .await
            .unwrap();
    }
}

/// The template for the migrations as they are, made once; and what earlier runs left behind is swept away.
async fn template() -> String {
    let checksums: Vec<&[u8]> = db::MIGRATIONS.iter().map(|migration| migration.checksum.as_ref()).collect();
    let hash = digest(&checksums).iter().fold(0_u64, |hash, byte| hash << 8 ^ hash >> 56 ^ u64::from(*byte));
    let template = format!("tmpl_{hash:016x}");
    let mut server = connect("postgres").await;
    server.execute("select pg_advisory_lock(4711)").await.unwrap();
    let known: Vec<String> =
        sqlx::query_scalar("select datname from pg_database where datname ~ '^t(mpl)?_'")
            .fetch_all(&mut server)
            .await
            .unwrap();
    for stale in known.iter().filter(|name| is_stale(name, &template)) {
        let drop = format!("drop database {stale} with (force)");
        server.execute(AssertSqlSafe(drop)).await.unwrap();
    }
    if !known.contains(&template) {
        server.execute(AssertSqlSafe(format!("create database {template}_new"))).await.unwrap();
        let mut new = connect(&format!("{template}_new")).await;
        db::MIGRATIONS.run(&mut new).await.unwrap();
        new.close().await.unwrap();
        server
            .execute(AssertSqlSafe(format!("alter database {template}_new rename to {template}")))
            .await
            .unwrap();
    }
    server.close().await.unwrap();
    template
}

/// Left by a process that is no more, or a template of other migrations.
fn is_stale(name: &str, template: &str) -> bool {
    match name.strip_prefix("t_").and_then(|rest| rest.split('_').next()) {
        Some(pid) => !PathBuf::from(format!("/proc/{pid}")).exists(),
        None => name != template,
    }
}
