//! Sending a month: in batches, a few at a time, at a rate or as fast as the service takes them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::{
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval_at},
};

use super::{
    service::{Answer, Service},
    traffic::Event,
};

/// How many events a request brings at most.
const BATCH: u32 = 500;
/// How many requests are under way at a time.
const LANES: u32 = 4;
/// How many requests a second a rate is made of, unless they would be too large.
const REQUESTS_PER_SECOND: f64 = 4.0;

/// What became of the month.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    /// How many were not taken, by reason; with an example of what was said.
    pub(super) rejected: BTreeMap<String, (u64, String)>,
    pub(super) took: Duration,
}

/// Sends all events. The first, which marks the month, goes alone; then each person's go in order, but several
/// persons' at a time.
pub(super) async fn send(service: &Service, events: Vec<Event>, rate: Option<f64>) -> anyhow::Result<Sent> {
    let began = Instant::now();
    let bar = progress_bar(events.len());
    let mut sent = Sent::default();
    let mut lanes: [Vec<Event>; LANES as usize] = Default::default();
    for (place, event) in events.into_iter().enumerate() {
        if place == 0 {
            sent.add(service.send(std::slice::from_ref(&event)).await?);
            bar.inc(1);
        } else {
            lanes[(event.person % LANES) as usize].push(event);
        }
    }
    let mut under_way = JoinSet::new();
    for (number, events) in (0..).zip(lanes) {
        let pace = rate.map(|rate| pace(rate, number));
        under_way.spawn(lane(service.clone(), events, batch_size(rate), pace, bar.clone()));
    }
    while let Some(lane) = under_way.join_next().await {
        sent.join(lane??);
    }
    bar.finish_and_clear();
    sent.took = began.elapsed();
    Ok(sent)
}

/// Sends some people's events one batch after the other, so that no two requests are about the same person and
/// wait for each other.
async fn lane(
    service: Service,
    events: Vec<Event>,
    size: u32,
    mut pace: Option<Interval>,
    bar: ProgressBar,
) -> anyhow::Result<Sent> {
    let mut sent = Sent::default();
    for batch in events.chunks(size as usize) {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        sent.add(service.send(batch).await?);
        bar.inc(batch.len() as u64);
    }
    Ok(sent)
}

/// When a lane sends: the lanes take turns, and together make the rate.
fn pace(rate: f64, lane: u32) -> Interval {
    let turn = Duration::from_secs_f64(f64::from(batch_size(Some(rate))) / rate);
    let mut pace = interval_at(tokio::time::Instant::now() + turn * lane, turn * LANES);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

impl Sent {
    /// All that was sent.
    pub(super) fn total(&self) -> u64 {
        self.accepted + self.duplicates + self.refused()
    }

    /// All that was not taken.
    pub(super) fn refused(&self) -> u64 {
        self.rejected.values().map(|(count, _)| count).sum()
    }

    fn add(&mut self, answer: Answer) {
        self.accepted += answer.accepted;
        self.duplicates += answer.duplicates;
        for refused in answer.rejected {
            self.rejected.entry(refused.code).or_insert((0, refused.detail)).0 += 1;
        }
    }

    fn join(&mut self, other: Sent) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        for (code, (count, detail)) in other.rejected {
            self.rejected.entry(code).or_insert((0, detail)).0 += count;
        }
    }
}

/// How many events go together, so that a slow rate flows instead of coming in gushes.
fn batch_size(rate: Option<f64>) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded up, and bounded below"
    )]
    rate.map_or(BATCH, |rate| (rate / REQUESTS_PER_SECOND).ceil() as u32).clamp(1, BATCH)
}

/// A bar on stderr; none where stderr is no terminal.
fn progress_bar(events: usize) -> ProgressBar {
    let template = "{bar:40} {human_pos} of {human_len} events, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(events as u64).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_rate_goes_in_small_batches_and_no_rate_in_large_ones() {
        assert_eq!(batch_size(None), 500);
        assert_eq!(batch_size(Some(1.0)), 1);
        assert_eq!(batch_size(Some(100.0)), 25);
        assert_eq!(batch_size(Some(1e9)), 500);
    }
}
