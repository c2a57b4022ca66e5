//! `leadscore keys`: who may do what.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Cell;
use serde::Deserialize;
use serde_json::json;

use crate::{
    client::Body,
    connection::Common,
    lead::{pages, segment},
    screen::{Rows, Screen, confirm, keep_whole, table},
    words::{counted, instant, visible},
};

/// What to do with keys. All of it needs a key with the scope `admin`.
#[derive(Debug, Clone, Subcommand)]
pub enum Keys {
    /// List the keys in use
    List(List),
    /// Make a key, and print it this one time
    Create(Create),
    /// Revoke a key: it stops working within a second
    Revoke(Revoke),
}

/// The list.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

/// A key to make.
#[derive(Debug, Clone, Args)]
pub struct Create {
    /// What to call the key
    name: String,

    /// What the key may do; `ingest` alone makes a write key (wk_…), anything else a secret key (sk_…)
    #[arg(long = "scope", value_enum, required = true, value_delimiter = ',')]
    scopes: Vec<Scope>,

    /// For a write key: an origin of web pages that may use it, such as `https://www.example.com`
    #[arg(long = "origin", value_name = "ORIGIN", value_delimiter = ',')]
    origins: Vec<String>,

    /// Where to, and in what form.
    #[command(flatten)]
    common: Common,
}

/// A key to revoke.
#[derive(Debug, Clone, Args)]
pub struct Revoke {
    /// The key's id, as `leadscore keys list` shows it
    id: String,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// Where to, and in what form.
    #[command(flatten)]
    common: Common,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Scope {
    /// Send events
    Ingest,
    /// Read leads
    Read,
    /// Read and change leads
    ReadWrite,
    /// Change models, queues, keys and settings too
    Admin,
}

#[derive(Debug, Deserialize)]
struct Key {
    id: String,
    name: String,
    prefix: String,
    last_four: String,
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    /// The key itself, of one that was just made.
    #[serde(rename = "key")]
    secret: Option<String>,
}

impl Keys {
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        match self {
            Keys::List(list) => list.run(now).await,
            Keys::Create(create) => create.run(now).await,
            Keys::Revoke(revoke) => revoke.run(now).await,
        }
    }
}

impl List {
    async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let mut count = 0;
        let more = pages(&client, "/v1/keys", &[], None, |answer, keys: Vec<Key>| {
            count += keys.len();
            if screen.json {
                screen.answer(answer)?;
            } else {
                show(&mut screen, &keys)?;
            }
            Ok(())
        });
        more.await?;
        if screen.json {
            return Ok(());
        }
        Ok(screen.line(counted(count, "key"))?)
    }
}

fn show(screen: &mut Screen, keys: &[Key]) -> std::io::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut rows = table(Rows::Dense, ["Id", "Name", "Key", "May", "Made"], &[]);
    for key in keys {
        rows.add_row([
            Cell::new(visible(&key.id)),
            Cell::new(visible(&key.name)),
            Cell::new(visible(&format!("{}…{}", key.prefix, key.last_four))),
            Cell::new(visible(&key.scopes.join(", "))),
            Cell::new(instant(key.created_at)),
        ]);
    }
    keep_whole(&mut rows, 0);
    screen.table(rows)
}

impl Create {
    async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let scopes: Vec<String> = self
            .scopes
            .iter()
            .filter_map(|scope| Some(scope.to_possible_value()?.get_name().to_owned()))
            .collect();
        let mut body = json!({ "name": self.name, "scopes": scopes });
        if !self.origins.is_empty() {
            body["allowed_origins"] = self.origins.into();
        }
        let answer = client.post("/v1/keys", Some(&Body::json(&body)?)).await?;
        let answer = answer.ok_or_else(|| anyhow::anyhow!("the service answered without a key"))?;
        if screen.json {
            return Ok(screen.answer(&answer)?);
        }
        let made: Key = answer.read()?;
        screen.line(format!("Key `{}` may: {}.", visible(&made.name), visible(&made.scopes.join(", "))))?;
        screen.line(format!("\n  {}\n", visible(made.secret.as_deref().unwrap_or_default())))?;
        screen.line("Keep it: it is not shown again.")?;
        Ok(screen.line(format!("Revoke it with: leadscore keys revoke {}", visible(&made.id)))?)
    }
}

impl Revoke {
    async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let id = visible(&self.id);
        confirm(&format!("Revoke the key {id}? Whoever uses it is refused from then on."), self.yes)?;
        client.delete(&format!("/v1/keys/{}", segment(&self.id))).await?;
        if screen.json {
            return Ok(());
        }
        Ok(screen.line(format!("The key {id} is revoked; it stops working within a second."))?)
    }
}
