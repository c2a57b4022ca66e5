//! The settings: flags, or environment variables with the same meaning.

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

/// The address to listen on if no other is set.
pub const LISTEN: &str = "127.0.0.1:8080";

/// The settings of `leadscore serve`. `leadscore serve --help` is the reference.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// A Postgres database to use. Without one, the service starts its own Postgres
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// Where the service's own Postgres keeps its data
    #[arg(long, env = "LEADSCORE_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// The address to listen on
    #[arg(long, env = "LEADSCORE_LISTEN", default_value = LISTEN)]
    pub listen: SocketAddr,

    /// The address under which others reach the service [default: http:// and the address that the service listens on]
    #[arg(long, env = "LEADSCORE_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// A secret key (sk_…, 24 characters or more) with all rights. Without one, a key is made at the first start and
    /// shown once
    #[arg(long, env = "LEADSCORE_ADMIN_KEY", hide_env_values = true, value_parser = admin_key)]
    pub admin_key: Option<Secret>,

    /// A write key (wk_…, 24 characters or more) for trackers. Without one, a key is made at the first start and shown
    /// once
    #[arg(long, env = "LEADSCORE_WRITE_KEY", hide_env_values = true, value_parser = write_key)]
    pub write_key: Option<Secret>,

    /// How many connections to the database requests and background work share
    #[arg(long, env = "LEADSCORE_CONNECTIONS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub connections: u32,

    /// How many writers of events there are, each with a connection of its own
    #[arg(long, env = "LEADSCORE_WRITERS", default_value_t = crate::intake::ingest::WRITERS, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub writers: u32,

    /// How many days changes are kept, for `GET /v1/changes` and webhooks
    #[arg(long, env = "LEADSCORE_CHANGES_KEPT_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub changes_kept_days: u16,

    /// How many days refused items are kept in the table `rejected_events`
    #[arg(long, env = "LEADSCORE_REJECTS_KEPT_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub rejects_kept_days: u16,

    /// How many refused items are kept at most. The oldest are deleted first
    #[arg(long, env = "LEADSCORE_REJECTS_KEPT", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub rejects_kept: u32,

    /// Networks to which webhooks may be sent besides the public internet, such as 10.1.0.0/16. Separate several by
    /// commas
    #[arg(long, env = "LEADSCORE_WEBHOOK_ALLOW", value_delimiter = ',', value_parser = network)]
    pub webhook_allow: Vec<IpNet>,

    /// How many seconds the receiver of a webhook may take to answer
    #[arg(long, env = "LEADSCORE_WEBHOOK_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=120))]
    pub webhook_timeout: u16,

    /// Bounds on what clients may take, and for how long
    #[command(flatten)]
    pub limits: Limits,

    /// How log lines look
    #[arg(long, env = "LEADSCORE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Bounds on what clients may take, and for how long.
#[derive(Debug, Clone, Args)]
pub struct Limits {
    /// How many connections clients may have open at once. Further ones are answered 503
    #[arg(long, env = "LEADSCORE_MAX_CONNECTIONS", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// How many MiB of unpacked request bodies are held at once. A body for which there is no room is answered 503
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

    /// How many seconds the service still answers after SIGTERM, while /readyz says that it is not ready
    #[arg(long, env = "LEADSCORE_STOP_DELAY", default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=600))]
    pub stop_delay: u16,

    /// How many seconds requests that have begun may take after that delay
    #[arg(long, env = "LEADSCORE_STOP_TIMEOUT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=600))]
    pub stop_timeout: u16,
}

impl Limits {
    /// Returns the bounds on connections.
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
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Makes a command ignore environment variables that are empty. In compose files and charts, an empty value says that a
/// setting is not set.
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
    /// Returns the address of the database. An empty setting counts as none.
    pub fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref().filter(|url| !url.trim().is_empty())
    }

    /// Returns the settings of the features. `listening` is the address that the service really listens on.
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

/// Reads a network, or one address as a network of its own.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let one = text.parse::<IpAddr>().map(IpNet::from);
    one.or_else(|_| text.parse()).map_err(|_| "write a network such as 10.1.0.0/16, or an address".to_owned())
}

pub(crate) fn admin_key(text: &str) -> Result<Secret, String> {
    Secret::given(text, Prefix::Secret)
}

fn write_key(text: &str) -> Result<Secret, String> {
    Secret::given(text, Prefix::Write)
}
