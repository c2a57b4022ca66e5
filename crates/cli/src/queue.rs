//! `leadscore queue` and `leadscore next`: who is called next, and by whom.

use chrono::{DateTime, Utc};
use clap::Args;
use comfy_table::Cell;
use serde::Deserialize;
use serde_json::json;

use crate::{
    claims,
    client::Body,
    connection::Common,
    lead::{Lead, pages, segment},
    screen::{Rows, Screen, band, keep_whole, table},
    words::{ahead, counted, visible},
};

/// The queue that every service begins with.
const QUEUE: &str = "sales";

/// Which queue to show.
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// The queue
    #[arg(default_value = QUEUE)]
    name: String,

    /// Only leads that could be handed out now
    #[arg(long)]
    free: bool,

    /// The ranking as this rep would be handed it
    #[arg(long)]
    rep: Option<String>,

    /// How many leads to show
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// Show the whole queue
    #[arg(long, conflicts_with = "limit")]
    all: bool,

    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

/// Who asks for the next lead.
#[derive(Debug, Clone, Args)]
pub struct Next {
    /// The queue
    #[arg(default_value = QUEUE)]
    queue: String,

    /// The rep who calls, by the name that your own system has
    #[arg(long)]
    rep: String,

    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Deserialize)]
struct Ranked {
    #[serde(flatten)]
    lead: Lead,
    free: bool,
    obstacle: Option<Obstacle>,
    why: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Obstacle {
    kind: String,
    rep: Option<String>,
    until: Option<DateTime<Utc>>,
}

impl Show {
    /// Shows the ranking, one table a page of the API.
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let path = format!("/v1/queues/{}/leads", segment(&self.name));
        let mut query: Vec<_> = self.rep.iter().map(|rep| ("rep", rep.clone())).collect();
        query.extend(self.free.then(|| ("free", "true".to_owned())));
        let limit = (!self.all).then_some(self.limit as usize);
        let mut count = 0;
        let more = pages(&client, &path, &query, limit, |answer, leads: Vec<Ranked>| {
            let before = count;
            count += leads.len();
            if screen.json {
                screen.answer(answer)?;
            } else {
                show(&mut screen, before, &leads)?;
            }
            Ok(())
        });
        let more = more.await?;
        if screen.json {
            return Ok(());
        }
        let follow = if more { "; more follow: --limit N or --all" } else { "" };
        let leads = counted(count, "lead");
        Ok(screen.line(format!("{leads} of the queue `{}`{follow}", visible(&self.name)))?)
    }
}

fn show(screen: &mut Screen, before: usize, leads: &[Ranked]) -> std::io::Result<()> {
    if leads.is_empty() {
        return Ok(());
    }
    let mut rows = table(Rows::Ruled, ["#", "Score", "Band", "Lead", "Why", "Free"], &[0, 1]);
    for (place, Ranked { lead, free, obstacle, why }) in leads.iter().enumerate() {
        let who = [lead.described(), lead.handle()].map(|text| visible(&text));
        let why: Vec<String> = why.iter().map(|reason| visible(reason)).collect();
        let free = obstacle.as_ref().filter(|_| !free).map_or("yes".to_owned(), |it| it.told(screen.now));
        rows.add_row([
            Cell::new(before + place + 1),
            Cell::new(lead.score),
            band(&lead.band),
            Cell::new(who.join("\n").trim_start()),
            Cell::new(why.join(", ")),
            Cell::new(free),
        ]);
    }
    keep_whole(&mut rows, 5);
    screen.table(rows)
}

impl Obstacle {
    /// Such as `claimed by ann, in 12 min`.
    fn told(&self, now: DateTime<Utc>) -> String {
        let by = self.rep.as_ref().map_or(String::new(), |rep| format!(" by {}", visible(rep)));
        let until = self.until.map_or(String::new(), |until| format!("\nfree {}", ahead(until, now)));
        format!("{}{by}{until}", visible(&self.kind).replace('_', " "))
    }
}

impl Next {
    /// Claims the next lead and says who the lead is, why it is next, and how to end the claim.
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let path = format!("/v1/queues/{}/next", segment(&self.queue));
        // So that a call that is repeated inside of the client hands out one lead.
        let once = format!("{:032x}", rand::random::<u128>());
        match client.post_once(&path, &Body::json(&json!({ "rep": self.rep }))?, &once).await? {
            Some(answer) if screen.json => Ok(screen.answer(&answer)?),
            Some(answer) => claims::handed_out(&mut screen, &answer.read()?),
            None if screen.json => Ok(()),
            None => {
                let queue = visible(&self.queue);
                let hint =
                    format!("`leadscore queue {queue}` shows who is in the queue and until when they rest");
                Ok(screen.line(format!("No lead of the queue `{queue}` is free just now; {hint}."))?)
            }
        }
    }
}
