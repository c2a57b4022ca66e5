//! `leadscore explain`: the receipt of a score, as a tree.

use chrono::{DateTime, Utc};
use clap::Args;
use comfy_table::{Cell, CellAlignment, Table};
use serde::Deserialize;

use crate::{
    connection::Common,
    lead::{self, Lead},
    models::version::Named,
    screen::{Rows, Screen, change, table},
    words::{ahead, counted, instant, points, rfc3339, signed_points, visible},
};

/// How many of the events behind a rule are shown unless all are asked for.
const EVENTS: usize = 3;
/// All of what an event is worth, in millionths.
const WHOLE: u32 = 1_000_000;

/// Whose score to explain.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// The lead: its id, its e-mail address or its user id
    lead: String,

    /// As of this instant, such as 2026-11-21T10:00:00Z [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = rfc3339)]
    as_of: Option<DateTime<Utc>>,

    /// By this version of a model, named by its id or as NAME@VERSION [default: the live one]
    #[arg(long, value_name = "VERSION", value_parser = Named::parse)]
    model: Option<Named>,

    /// Also show the rules that give nothing, and every event
    #[arg(long)]
    all: bool,

    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Deserialize)]
struct Scored {
    as_of: DateTime<Utc>,
    score: i64,
    fit: i64,
    engagement: i64,
    grade: String,
    band: String,
    next_change_at: Option<DateTime<Utc>>,
    receipt: Receipt,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Deserialize)]
struct Line {
    kind: String,
    dimension: Option<String>,
    group: Option<String>,
    rule: Option<String>,
    points: i64,
    detail: String,
    #[serde(default)]
    occurrences: Vec<Occurrence>,
}

#[derive(Debug, Clone, Deserialize)]
struct Occurrence {
    event_id: String,
    occurred_at: DateTime<Utc>,
    /// What the event's age has left of it, in millionths.
    factor: u32,
    worth: i64,
}

impl Explain {
    /// Finds the lead, and shows its receipt.
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let lead: Lead = lead::find(&client, &self.lead).await?.read()?;
        let mut query: Vec<_> = self.as_of.iter().map(|at| ("as_of", at.to_rfc3339())).collect();
        if let Some(model) = &self.model {
            query.push(("model", model.existing(&client).await?.id));
        }
        let answer = client.get(&format!("/v1/leads/{}/score", lead::segment(&lead.id)), &query).await?;
        if screen.json {
            return Ok(screen.answer(&answer)?);
        }
        let scored: Scored = answer.read()?;
        let described = lead.described();
        if !described.is_empty() {
            screen.line(described)?;
        }
        screen.line(lead.names())?;
        screen.line(scored.told(now))?;
        screen.line("")?;
        screen.table(Tree::of(&scored, self.all))?;
        let nothing = scored.receipt.lines.iter().filter(|line| line.is_idle()).count();
        if nothing > 0 && !self.all {
            let rules = counted(nothing, "rule");
            let verb = if nothing == 1 { "gives" } else { "give" };
            screen.line(format!("\n{rules} {verb} nothing; --all shows every rule and every event."))?;
        }
        Ok(())
    }
}

impl Scored {
    fn told(&self, now: DateTime<Utc>) -> String {
        let Scored { score, as_of, .. } = self;
        let next = self.next_change_at.map_or(String::new(), |at| {
            format!(". If nothing happens the score changes at {} ({})", instant(at), ahead(at, now))
        });
        let (band, grade) = (visible(&self.band), visible(&self.grade));
        format!("Score {score} ({band}), grade {grade}, as of {}{next}", instant(*as_of))
    }
}

impl Line {
    /// Whether the line is a rule that gives and takes nothing.
    fn is_idle(&self) -> bool {
        self.kind == "rule" && self.points == 0
    }

    fn label(&self) -> String {
        let rule = self.rule.as_deref().map(visible).unwrap_or_default();
        match self.kind.as_str() {
            "rule" => rule,
            "rule_clamp" => format!("limit of {rule}"),
            "group_best" => "only the best rule counts".to_owned(),
            "group_clamp" => "limit of the group".to_owned(),
            "weight" => "weight of the group".to_owned(),
            "dimension_clamp" => "range of the dimension".to_owned(),
            "adjustment" => "adjustment by hand".to_owned(),
            "score_clamp" => "range of a score".to_owned(),
            "rounding" => "rounding".to_owned(),
            other => visible(other).replace('_', " "),
        }
    }
}

/// The receipt as the rows of a table: dimensions, in them groups, in them rules, in them events.
struct Tree {
    rows: Table,
    all: bool,
    dimension: Option<String>,
    group: Option<String>,
}

impl Tree {
    fn of(scored: &Scored, all: bool) -> Table {
        let rows = table(Rows::Bare, [], &[]);
        let mut tree = Tree { rows, all, dimension: None, group: None };
        for line in scored.receipt.lines.iter().filter(|line| all || !line.is_idle()) {
            tree.headings(scored, line);
            tree.line(line);
        }
        tree.row(0, "Score", Cell::new(scored.score), "");
        tree.rows
    }

    /// The dimension and the group of a line, where they are other than the line's before.
    fn headings(&mut self, scored: &Scored, line: &Line) {
        if self.dimension != line.dimension {
            self.dimension.clone_from(&line.dimension);
            self.group = None;
            match line.dimension.as_deref() {
                Some("fit") => self.row(0, "Fit", Cell::new(points(scored.fit)), ""),
                Some("engagement") => self.row(0, "Engagement", Cell::new(points(scored.engagement)), ""),
                Some(other) => self.row(0, &visible(other), Cell::new(""), ""),
                None => {}
            }
        }
        if self.group != line.group {
            self.group.clone_from(&line.group);
            if let Some(group) = &line.group {
                self.row(1, &visible(group), Cell::new(""), "");
            }
        }
    }

    fn line(&mut self, line: &Line) {
        let depth = usize::from(line.dimension.is_some()) + usize::from(line.group.is_some());
        self.row(depth, &line.label(), change(signed_points(line.points)), &visible(&line.detail));
        let shown = if self.all { line.occurrences.len() } else { EVENTS };
        for occurrence in line.occurrences.iter().take(shown) {
            let Occurrence { event_id, occurred_at, factor, worth } = occurrence;
            let worth = if *worth == 0 { String::new() } else { format!(": {}", points(*worth)) };
            let left = if *factor == WHOLE { String::new() } else { format!(", {} left", percent(*factor)) };
            let why = format!("{}{worth}{left}", visible(event_id));
            self.row(depth + 1, &instant(*occurred_at), Cell::new(""), &why);
        }
        if line.occurrences.len() > shown {
            let more = counted(line.occurrences.len() - shown, "more event");
            self.row(depth + 1, &format!("and {more}"), Cell::new(""), "");
        }
    }

    fn row(&mut self, depth: usize, what: &str, points: Cell, why: &str) {
        let what = format!("{}{what}", "  ".repeat(depth));
        self.rows.add_row([Cell::new(what), points.set_alignment(CellAlignment::Right), Cell::new(why)]);
    }
}

/// Millionths as a percentage, such as `79.4 %`.
fn percent(millionths: u32) -> String {
    let tenths = (u64::from(millionths) + 500) / 1000;
    let (whole, rest) = (tenths / 10, tenths % 10);
    if rest == 0 { format!("{whole} %") } else { format!("{whole}.{rest} %") }
}
