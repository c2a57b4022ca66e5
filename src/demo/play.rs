//! Plays the story: sets the clock to each moment, sends the events of that moment, and does what is due.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Datelike, DurationRound, TimeDelta, Timelike, Utc, Weekday};
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    house::House,
    sales::{Results, Sales},
    traffic::{Arrival, Event, Plan, traffic},
};
use crate::{
    intake::verdicts::jobs::Release,
    lifecycle::{
        change::jobs::DueScores,
        handoffs::jobs::{Breach, Expire},
    },
    platform::sweep,
    queues::claims::jobs::SettleClaims,
};

/// How many events one request sends at most.
const MOST: usize = 200;

/// How long an event that may move a lead waits at most, in the story's time.
const SOON: TimeDelta = TimeDelta::minutes(15);

/// What the played story did.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    /// How many events were rejected, by the code of the reason, each with one example of the detail.
    pub(super) rejected: BTreeMap<String, (u64, String)>,
    pub(super) results: Results,
    pub(super) took: Duration,
}

/// Plays the whole story on a stage.
pub(super) async fn play(stage: &House, plan: &Plan) -> anyhow::Result<Told> {
    let began = Instant::now();
    let arrivals = traffic(plan);
    let bar = progress_bar(arrivals.len());
    let mut told = Told::default();
    let mut sales = Sales::new(plan, stage).await?;
    let mut batch: Vec<Event> = Vec::new();
    let mut decided: Option<DateTime<Utc>> = None;
    for Arrival { at, event } in arrivals {
        let at = at.min(plan.until);
        let mark = next_mark(stage.app.clock.now()).filter(|mark| *mark <= at);
        let may_wait = decided.is_none_or(|since| at - since < SOON) && batch.len() < MOST;
        if mark.is_some() || !may_wait {
            told.send(stage, &mut batch).await?;
            decided = None;
        }
        if let Some(mark) = mark {
            pass(stage, &mut sales, mark, at).await?;
        }
        set(stage, at);
        bar.inc(1);
        if decides(&event) {
            decided = decided.or(Some(at));
        }
        batch.push(event);
    }
    told.send(stage, &mut batch).await?;
    if let Some(mark) = next_mark(stage.app.clock.now()) {
        pass(stage, &mut sales, mark, plan.until).await?;
    }
    set(stage, plan.until);
    see_to(stage).await?;
    bar.finish_and_clear();
    (told.results, told.took) = (sales.results, began.elapsed());
    Ok(told)
}

/// Whether an event may move a lead to another stage. Other events wait for the next such event, or for the next mark.
fn decides(event: &Event) -> bool {
    !matches!(event.kind, "page_viewed" | "email_delivered" | "email_opened" | "email_bounced")
}

/// Moves the clock from mark to mark. At each mark, the sweeps run and sales works if it is open.
async fn pass(
    stage: &House,
    sales: &mut Sales,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut mark = Some(from);
    while let Some(at) = mark.filter(|at| *at <= until) {
        set(stage, at);
        see_to(stage).await?;
        if is_open(at) {
            sales.work(stage, at).await?;
        }
        mark = next_mark(at);
    }
    Ok(())
}

async fn see_to(stage: &House) -> sqlx::Result<()> {
    while sweep::run_once::<DueScores>(&stage.app.lifecycle).await? > 0 {}
    while sweep::run_once::<Release>(&stage.app.lifecycle).await? > 0 {}
    while sweep::run_once::<Expire>(&stage.app.lifecycle).await? > 0 {}
    sweep::run_once::<Breach>(&stage.app.lifecycle).await?;
    sweep::run_once::<SettleClaims>(&stage.app.queues).await?;
    Ok(())
}

fn set(stage: &House, at: DateTime<Utc>) {
    let clock = &stage.app.clock;
    clock.advance((at - clock.now()).max(TimeDelta::zero()));
}

/// Returns the next mark: a full hour at which the sweeps run. There are four on a working day, and one each midnight.
fn next_mark(after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let hour = after.duration_trunc(TimeDelta::hours(1)).ok()?;
    let looks = |at: &DateTime<Utc>| at.hour() == 0 || (is_open(*at) && at.hour() % 3 == 2);
    (1..=24).map(|hours| hour + TimeDelta::hours(hours)).find(looks)
}

/// Whether sales is at work: on weekdays from 8 to 18, UTC.
fn is_open(at: DateTime<Utc>) -> bool {
    !matches!(at.weekday(), Weekday::Sat | Weekday::Sun) && (8..18).contains(&at.hour())
}

impl Told {
    async fn send(&mut self, stage: &House, batch: &mut Vec<Event>) -> anyhow::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let answer = stage.post("/v1/events", &serde_json::to_value(&*batch)?).await?;
        batch.clear();
        let count = |key: &str| answer[key].as_u64().unwrap_or(0);
        self.accepted += count("accepted");
        self.duplicates += count("duplicates");
        for refused in answer["rejected"].as_array().into_iter().flatten() {
            let text = |key: &str| refused[key].as_str().unwrap_or_default().to_owned();
            self.rejected.entry(text("code")).or_insert((0, text("detail"))).0 += 1;
        }
        Ok(())
    }

    /// Returns how many events were rejected.
    pub(super) fn refused(&self) -> u64 {
        self.rejected.values().map(|(count, _)| count).sum()
    }
}

/// Makes a progress bar on standard error. It is hidden if standard error is no terminal.
fn progress_bar(events: usize) -> ProgressBar {
    let template = "{bar:40} {human_pos} of {human_len} events, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(events as u64).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_looks_four_times_on_a_working_day_and_each_midnight() {
        let marks = |day: &str| {
            let begin: DateTime<Utc> = format!("{day}T00:00:00Z").parse().unwrap();
            let mut marks = vec![begin];
            while let Some(next) = next_mark(marks[marks.len() - 1]).filter(|next| next.day() == begin.day())
            {
                marks.push(next);
            }
            marks.len()
        };
        assert_eq!((marks("2026-11-20"), marks("2026-11-21")), (5, 1), "a Friday, and a Saturday");
    }
}
