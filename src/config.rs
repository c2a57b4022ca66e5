//! The settings: flags, or environment variables of the same meaning.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use clap::{
    Args, Command, ValueEnum,
    builder::{OsStr, Resettable},
};
use ipnet::IpNet;

use crate::{
    app,
    feed::webhooks::{self, address::Reachable},
    http::{body, listen},
    intake::mail::Fetch,
    keys::{Prefix, Secret},
    platform::core::Rejects,
};

/// The address to listen on unless told otherwise.
pub const LISTEN: &str = "127.0.0.1:8080";

/// How `leadscore serve` works. `--help` is the reference.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// A Postgres database to use. Without one, the service brings up its own
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// Where the service's own Postgres keeps its data
    #[arg(long, env = "LEADSCORE_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// The address to listen on
    #[arg(long, env = "LEADSCORE_LISTEN", default_value = LISTEN)]
    pub listen: SocketAddr,

    /// The address under which others reach the service [default: http:// and the address listened on]
    #[arg(long, env = "LEADSCORE_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// A secret key (sk_…, 24 characters or more) that may do everything. Without one, a key is made and shown once
    #[arg(long, env = "LEADSCORE_ADMIN_KEY", hide_env_values = true, value_parser = admin_key)]
    pub admin_key: Option<Secret>,

    /// A write key (wk_…, 24 characters or more) for trackers. Without one, a key is made and shown once
    #[arg(long, env = "LEADSCORE_WRITE_KEY", hide_env_values = true, value_parser = write_key)]
    pub write_key: Option<Secret>,

    /// Connections for requests and background work
    #[arg(long, env = "LEADSCORE_CONNECTIONS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub connections: u32,

    /// Writers of events, each with a connection of its own
    #[arg(long, env = "LEADSCORE_WRITERS", default_value_t = crate::intake::ingest::WRITERS, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub writers: u32,

    /// For how many days changes are kept, which `GET /v1/changes` and webhooks hand out
    #[arg(long, env = "LEADSCORE_CHANGES_KEPT_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub changes_kept_days: u16,

    /// For how many days refused items are kept in the table `rejected_events`
    #[arg(long, env = "LEADSCORE_REJECTS_KEPT_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub rejects_kept_days: u16,

    /// How many refused items are kept at most, the newest
    #[arg(long, env = "LEADSCORE_REJECTS_KEPT", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub rejects_kept: u32,

    /// Networks to which webhooks may be sent besides the public internet, such as 10.1.0.0/16; a comma between several
    #[arg(long, env = "LEADSCORE_WEBHOOK_ALLOW", value_delimiter = ',', value_parser = network)]
    pub webhook_allow: Vec<IpNet>,

    /// How many seconds a webhook's receiver may take to answer
    #[arg(long, env = "LEADSCORE_WEBHOOK_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=120))]
    pub webhook_timeout: u16,

    /// How much clients may take, and how long
    #[command(flatten)]
    pub limits: Limits,

    /// How log lines look
    #[arg(long, env = "LEADSCORE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// How much clients may take, and how long.
#[derive(Debug, Clone, Args)]
pub struct Limits {
    /// Connections that clients may have open at once; one more is answered 503
    #[arg(long, env = "LEADSCORE_MAX_CONNECTIONS", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// MiB of request bodies, unpacked, that are held at once in all; a body for which there is no room is answered 503
    #[arg(long, env = "LEADSCORE_BODY_MEMORY", default_value_t = 64, value_parser = clap::value_parser!(u16).range(16..=4000))]
    pub body_memory: u16,

    /// How many seconds the head of a request may take to arrive
    #[arg(long, env = "LEADSCORE_HEADER_TIMEOUT", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub header_timeout: u16,

    /// How many seconds the whole body of a request may take to arrive
    #[arg(long, env = "LEADSCORE_BODY_TIMEOUT", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub body_timeout: u16,

    /// How many seconds a connection may be open without a request
    #[arg(long, env = "LEADSCORE_IDLE_TIMEOUT", default_value_t = 75, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub idle_timeout: u16,

    /// How many seconds the service still serves after SIGTERM, while /readyz says that it is not ready
    #[arg(long, env = "LEADSCORE_STOP_DELAY", default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=600))]
    pub stop_delay: u16,

    /// How many seconds requests that have begun may take after that
    #[arg(long, env = "LEADSCORE_STOP_TIMEOUT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=600))]
    pub stop_timeout: u16,
}

impl Limits {
    /// How many connections there may be, and how long they may take.
    pub fn connections(&self) -> listen::Limits {
        listen::Limits {
            connections: self.max_connections as usize,
            head: Duration::from_secs(self.header_timeout.into()),
            idle: Duration::from_secs(self.idle_timeout.into()),
        }
    }

    fn bodies(&self) -> body::Limits {
        body::Limits {
            in_flight: usize::from(self.body_memory) << 20,
            whole: Duration::from_secs(self.body_timeout.into()),
            ..body::Limits::default()
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The command with every environment variable that is empty passed over, as if it were not set: this is how
/// compose files and charts say that a setting has no value.
#[must_use]
pub fn without_empty(command: Command) -> Command {
    let is_empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(
            |arg| {
                if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::<OsStr>::Reset) } else { arg }
            },
        )
        .mut_subcommands(without_empty)
}

impl Serve {
    /// The database to use; an empty setting is none.
    pub fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref().filter(|url| !url.trim().is_empty())
    }

    /// What the service's parts need to know of it, given the address that it really listens on.
    pub fn app(&self, listening: SocketAddr) -> app::Settings {
        app::Settings {
            public_url: self.public_url(listening),
            changes_kept: TimeDelta::days(self.changes_kept_days.into()),
            webhooks: webhooks::Settings {
                reachable: Arc::new(Reachable { allowed: self.webhook_allow.clone() }),
                timeout: Duration::from_secs(self.webhook_timeout.into()),
            },
            amazon: Fetch::Internet,
            bodies: self.limits.bodies(),
            rejects: Rejects {
                kept: TimeDelta::days(self.rejects_kept_days.into()),
                most: self.rejects_kept.into(),
            },
        }
    }

    fn public_url(&self, listening: SocketAddr) -> String {
        let given = self.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        given.filter(|url| !url.is_empty()).unwrap_or_else(|| format!("http://{listening}"))
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let one = text.parse::<IpAddr>().map(IpNet::from);
    one.or_else(|_| text.parse()).map_err(|_| "write a network as 10.1.0.0/16 or an address".to_owned())
}

pub(crate) fn admin_key(text: &str) -> Result<Secret, String> {
    Secret::given(text, Prefix::Secret)
}

fn write_key(text: &str) -> Result<Secret, String> {
    Secret::given(text, Prefix::Write)
}
