//! `leadscore claims`: who calls whom, and what came of it.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use comfy_table::Cell;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    client::Body,
    connection::Common,
    lead::{Lead, pages, segment},
    screen::{Rows, Screen, keep_whole, table},
    words::{ago, ahead, counted, instant, rfc3339, visible},
};

/// What to do with claims.
#[derive(Debug, Clone, Subcommand)]
pub enum Claims {
    /// List claims, newest first
    List(List),
    /// Hold on to the lead for as long again, from now
    Renew(Renew),
    /// The lead was called: it rests, until the callback if one was promised
    Complete(Complete),
    /// Give the lead back, and have this queue pass it over for a while
    Skip(Skip),
    /// Give the lead back: it is free at once
    Release(Release),
}

/// Which claims to list.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Only claims of this rep
    #[arg(long)]
    rep: Option<String>,

    /// Only claims of this queue
    #[arg(long)]
    queue: Option<String>,

    /// Also claims that are over
    #[arg(long)]
    over: bool,

    /// How many claims to list
    #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

/// A claim that is acted on.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// The claim's id, as `leadscore next` printed it
    claim: String,

    /// The claim's token: the call is refused if the claim has another
    #[arg(long)]
    token: Option<i64>,

    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

/// A claim to hold on to.
#[derive(Debug, Clone, Args)]
pub struct Renew {
    /// Which.
    #[command(flatten)]
    which: Which,
}

/// A call that was made.
#[derive(Debug, Clone, Args)]
pub struct Complete {
    /// Which.
    #[command(flatten)]
    which: Which,

    /// What came of the call
    #[arg(long)]
    note: Option<String>,

    /// When to call again, such as 2026-12-01T10:00:00Z
    #[arg(long, value_name = "INSTANT", value_parser = rfc3339)]
    callback_at: Option<DateTime<Utc>>,
}

/// A lead that is put off.
#[derive(Debug, Clone, Args)]
pub struct Skip {
    /// Which.
    #[command(flatten)]
    which: Which,

    /// Why
    #[arg(long)]
    reason: String,

    /// For how long this queue passes the lead over, such as 2h [default: 1d]
    #[arg(long, value_name = "DURATION")]
    delay: Option<String>,
}

/// A lead that is given back.
#[derive(Debug, Clone, Args)]
pub struct Release {
    /// Which.
    #[command(flatten)]
    which: Which,

    /// Why
    #[arg(long)]
    reason: Option<String>,
}

/// A claim of the API.
#[derive(Debug, Deserialize)]
pub(crate) struct Claim {
    id: String,
    queue: String,
    lead_id: String,
    lead: Option<Lead>,
    rep: String,
    token: i64,
    state: String,
    why: Vec<String>,
    claimed_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    rests_until: Option<DateTime<Utc>>,
    reason: Option<String>,
}

impl Claims {
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        match self {
            Claims::List(list) => list.run(now).await,
            Claims::Renew(Renew { which }) => which.act("renew", json!({}), now).await,
            Claims::Complete(Complete { which, note, callback_at }) => {
                which.act("complete", json!({ "note": note, "callback_at": callback_at }), now).await
            }
            Claims::Skip(Skip { which, reason, delay }) => {
                which.act("skip", json!({ "reason": reason, "delay": delay }), now).await
            }
            Claims::Release(Release { which, reason }) => {
                which.act("release", json!({ "reason": reason }), now).await
            }
        }
    }
}

impl Which {
    async fn act(self, verb: &str, said: Value, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let mut body: Map<String, Value> = said.as_object().cloned().unwrap_or_default();
        body.insert("token".to_owned(), self.token.into());
        body.retain(|_, value| !value.is_null());
        let path = format!("/v1/claims/{}/{verb}", segment(&self.claim));
        let answer = client.post(&path, Some(&Body::json(&body)?)).await?;
        let answer = answer.ok_or_else(|| anyhow::anyhow!("the service answered without a claim"))?;
        if screen.json {
            return Ok(screen.answer(&answer)?);
        }
        let claim: Claim = answer.read()?;
        let text = claim.told(now);
        Ok(screen.line(text)?)
    }
}

impl List {
    async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let filters =
            [("rep", self.rep), ("queue", self.queue), ("active", (!self.over).then(|| "true".to_owned()))];
        let query: Vec<_> = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let mut count = 0;
        let more =
            pages(&client, "/v1/claims", &query, Some(self.limit as usize), |answer, claims: Vec<Claim>| {
                count += claims.len();
                if screen.json {
                    screen.answer(answer)?;
                } else {
                    show(&mut screen, &claims)?;
                }
                Ok(())
            });
        let more = more.await?;
        if screen.json {
            return Ok(());
        }
        let follow = if more { "; more follow: --limit N" } else { "" };
        let kind = if self.over { "claim" } else { "active claim" };
        Ok(screen.line(format!("{}{follow}", counted(count, kind)))?)
    }
}

fn show(screen: &mut Screen, claims: &[Claim]) -> std::io::Result<()> {
    if claims.is_empty() {
        return Ok(());
    }
    let mut rows = table(Rows::Dense, ["Claim", "Queue", "Rep", "Lead", "Claimed", "State"], &[]);
    for claim in claims {
        rows.add_row([
            Cell::new(visible(&claim.id)),
            Cell::new(visible(&claim.queue)),
            Cell::new(visible(&claim.rep)),
            Cell::new(claim.lead.as_ref().map_or_else(|| visible(&claim.lead_id), Lead::handle)),
            Cell::new(ago(claim.claimed_at, screen.now)),
            Cell::new(claim.stands(screen.now)),
        ]);
    }
    keep_whole(&mut rows, 0);
    keep_whole(&mut rows, 3);
    screen.table(rows)
}

/// Says whom a rep has just been handed, why, and how the claim ends.
pub(crate) fn handed_out(screen: &mut Screen, claim: &Claim) -> anyhow::Result<()> {
    screen.line(claim.told(screen.now))?;
    screen.line("")?;
    let mut facts = table(Rows::Bare, ["", ""], &[]);
    if let Some(lead) = &claim.lead {
        let score = format!("{} ({}), grade {}", lead.score, visible(&lead.band), visible(&lead.grade));
        facts.add_row(["Who", &lead.described()]);
        facts.add_row(["Known as", &lead.names()]);
        facts.add_row(["Phone", &lead.said("phone").unwrap_or_else(|| "not known".to_owned())]);
        facts.add_row(["Score", &score]);
    }
    let why: Vec<String> = claim.why.iter().map(|reason| visible(reason)).collect();
    facts.add_row(["Why", &why.join("\n")]);
    facts.add_row(["Claim", &visible(&claim.id)]);
    facts.add_row(["Token", &claim.token.to_string()]);
    screen.table(facts)?;
    let id = visible(&claim.id);
    screen.line("\nThen end the claim:")?;
    screen.line(format!("  leadscore claims complete {id} --note \"what came of it\""))?;
    screen.line(format!("  leadscore claims skip {id} --reason \"why not now\""))?;
    screen.line(format!("  leadscore claims release {id}"))?;
    Ok(screen.line(format!("More time: leadscore claims renew {id}"))?)
}

impl Claim {
    fn is_active(&self) -> bool {
        self.state == "active"
    }

    /// How the claim stands, in a few words.
    fn stands(&self, now: DateTime<Utc>) -> String {
        if self.is_active() {
            return format!("expires {}", ahead(self.expires_at, now));
        }
        let said = self.reason.as_ref().map_or(String::new(), |reason| format!(": {}", visible(reason)));
        format!("{}{said}", visible(&self.state).replace('_', " "))
    }

    /// How the claim stands, in a sentence.
    fn told(&self, now: DateTime<Utc>) -> String {
        let rep = visible(&self.rep);
        let lead = self.lead.as_ref().map_or_else(|| visible(&self.lead_id), Lead::handle);
        if self.is_active() {
            let until = self.expires_at;
            return format!("{lead} is {rep}'s to call until {} ({}).", instant(until), ahead(until, now));
        }
        let state = visible(&self.state).replace('_', " ");
        let rest = match self.rests_until {
            Some(until) => format!(" The lead rests until {} ({}).", instant(until), ahead(until, now)),
            None => String::new(),
        };
        format!("The claim of {rep} on {lead} is over: {state}.{rest}")
    }
}
