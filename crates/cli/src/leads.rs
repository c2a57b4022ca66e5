//! `leadscore leads`: a list of leads.

use chrono::{DateTime, Utc};
use clap::Args;
use comfy_table::Cell;

use crate::{
    connection::Common,
    lead::{Lead, pages},
    screen::{Rows, Screen, band, keep_whole, table},
    words::{ago, counted, visible},
};

/// Which leads to list, and in what order.
#[derive(Debug, Clone, Args)]
pub struct Leads {
    /// Only leads at this stage, such as mql or customer
    #[arg(long)]
    stage: Option<String>,

    /// Only leads in this band of the live model, such as hot
    #[arg(long)]
    band: Option<String>,

    /// Only leads of this grade, such as A1
    #[arg(long)]
    grade: Option<String>,

    /// Only leads with at least this score
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    min_score: Option<i32>,

    /// Only leads of this owner
    #[arg(long)]
    owner: Option<String>,

    /// Only leads with words that begin so: of their names, company, addresses and user ids
    #[arg(long, short, value_name = "TEXT")]
    q: Option<String>,

    /// `score`, `updated_at` or `created_at`; with `-` in front, greatest first [default: `-score`]
    #[arg(long, allow_hyphen_values = true)]
    sort: Option<String>,

    /// How many leads to list
    #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// List all leads that match
    #[arg(long, conflicts_with = "limit")]
    all: bool,

    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

impl Leads {
    /// Lists the leads, one table a page of the API, so that a long list costs no memory.
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let limit = (!self.all).then_some(self.limit as usize);
        let (query, mut count) = (self.query(), 0);
        let more = pages(&client, "/v1/leads", &query, limit, |answer, leads: Vec<Lead>| {
            count += leads.len();
            if screen.json {
                screen.answer(answer)?;
            } else {
                show(&mut screen, &leads)?;
            }
            Ok(())
        });
        let more = more.await?;
        if screen.json {
            return Ok(());
        }
        let follow = if more { "; more follow: --limit N or --all" } else { "" };
        Ok(screen.line(format!("{}{follow}", counted(count, "lead")))?)
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let filters = [
            ("stage", self.stage.clone()),
            ("band", self.band.clone()),
            ("grade", self.grade.clone()),
            ("min_score", self.min_score.map(|score| score.to_string())),
            ("owner", self.owner.clone()),
            ("q", self.q.clone()),
            ("sort", self.sort.clone()),
        ];
        filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn show(screen: &mut Screen, leads: &[Lead]) -> std::io::Result<()> {
    if leads.is_empty() {
        return Ok(());
    }
    let mut rows = table(Rows::Dense, ["Score", "Grade", "Band", "Stage", "Lead", "Who", "Active"], &[0]);
    for lead in leads {
        rows.add_row([
            Cell::new(lead.score),
            Cell::new(visible(&lead.grade)),
            band(&lead.band),
            Cell::new(visible(&lead.stage)),
            Cell::new(lead.handle()),
            Cell::new(lead.described()),
            Cell::new(lead.last_activity_at.map(|at| ago(at, screen.now)).unwrap_or_default()),
        ]);
    }
    keep_whole(&mut rows, 4);
    screen.table(rows)
}
