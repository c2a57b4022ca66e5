//! Three people in sales: they answer handoffs, call people, make deals, and win or lose them.
//!
//! The outcome of a lead depends on its fit, its engagement and its hand-raise at the offer, and on chance. A lead that
//! fits and asks for sales is accepted and won far more often than a lead that only reads. So a program that learns
//! from the outcomes can find these rules.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    house::House,
    traffic::{Draw, Plan},
};

const REPS: [&str; 3] = ["ana", "ben", "mia"];
const NOTES: [&str; 5] = [
    "Left a message on the mailbox",
    "Talked for ten minutes, wants to see the reporting",
    "No answer, tried twice",
    "Asked for a price by mail",
    "Has a tool already, contract ends next spring",
];

/// The handoffs of at most this many last days stay unanswered. Otherwise the queue would be empty.
const LEFT: u32 = 10;

/// How many things sales did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Results {
    pub(super) offered: u32,
    pub(super) accepted: u32,
    pub(super) rejected: u32,
    pub(super) recycled: u32,
    pub(super) calls: u32,
    pub(super) opportunities: u32,
    pub(super) won: u32,
    pub(super) lost: u32,
    /// The worth of the deals that were won, in cents.
    pub(super) worth: i64,
}

/// The state of sales at a moment of the story.
pub(super) struct Sales {
    seed: u64,
    /// From this instant on, nobody answers handoffs.
    away_since: DateTime<Utc>,
    pub(super) results: Results,
    /// The tasks by the instant at which they are due. The number keeps tasks of one instant apart.
    tasks: BTreeMap<(DateTime<Utc>, u32), (Task, Case)>,
    planned: u32,
    seen: HashSet<String>,
    calls: Draw,
    reject_reasons: Vec<String>,
    loss_reasons: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Task {
    Answer,
    Qualify,
    Close,
}

/// A lead that a rep works on.
struct Case {
    handoff: String,
    lead: String,
    rep: &'static str,
    /// Fit when the lead was offered, in points.
    fit: f64,
    /// Engagement when the lead was offered, in points.
    engagement: f64,
    /// 1 if the person asked for sales, else 0.
    asked: f64,
    employees: i64,
    /// The amount of the deal in cents. 0 before there is a deal.
    amount: i64,
    draw: Draw,
}

impl Sales {
    /// Makes sales before the first offer, with the reasons that the policy knows.
    pub(super) async fn new(plan: &Plan, stage: &House) -> anyhow::Result<Sales> {
        let policy = stage.get("/v1/policy").await?;
        let codes = |key: &str| {
            let reasons = policy["document"][key].as_array().into_iter().flatten();
            reasons.filter_map(|reason| reason["code"].as_str().map(str::to_owned)).collect()
        };
        Ok(Sales {
            seed: plan.seed,
            away_since: plan.until - TimeDelta::days((plan.days / 12).min(LEFT).into()),
            results: Results::default(),
            tasks: BTreeMap::new(),
            planned: 0,
            seen: HashSet::new(),
            calls: Draw::new(plan.seed, 1 << 42),
            reject_reasons: codes("reject_reasons"),
            loss_reasons: codes("loss_reasons"),
        })
    }

    /// Does the work that is due by now: answers, deals and calls.
    pub(super) async fn work(&mut self, stage: &House, now: DateTime<Utc>) -> anyhow::Result<()> {
        self.look(stage, now).await?;
        while let Some(entry) = self.tasks.first_entry().filter(|entry| entry.key().0 <= now) {
            let (task, case) = entry.remove();
            match task {
                Task::Answer => self.answer(stage, now, case).await?,
                Task::Qualify => self.qualify(stage, now, case).await?,
                Task::Close => self.close(stage, case).await?,
            }
        }
        for rep in REPS {
            if self.calls.percent(40) {
                self.call(stage, now, rep).await?;
            }
        }
        Ok(())
    }

    /// Finds the new handoffs, and plans when each is answered.
    async fn look(&mut self, stage: &House, now: DateTime<Utc>) -> anyhow::Result<()> {
        let open = stage.get("/v1/handoffs?state=open&limit=500").await?;
        let mut new = Vec::new();
        for handoff in open["data"].as_array().into_iter().flatten() {
            if self.seen.insert(text(&handoff["id"])) {
                let lead = stage.get(&format!("/v1/leads/{}", text(&handoff["lead_id"]))).await?;
                new.push((text(&lead["email"]), handoff.clone(), lead));
            }
        }
        // Handoffs of one moment come in no particular order, but the same seed must give the same story.
        new.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        for (email, handoff, lead) in new {
            self.results.offered += 1;
            if now >= self.away_since {
                continue;
            }
            let mut draw = Draw::new(self.seed, (1 << 43) | number_of(&email, &handoff["cycle"]));
            let minutes = draw.weighted(&[(6, (20, 200)), (3, (200, 1_200)), (1, (1_200, 4_000))]);
            let minutes = draw.between(minutes.0, minutes.1);
            let points = |value: &Value| value.as_f64().unwrap_or(0.0) / 1_000.0;
            let evidence = &handoff["evidence"];
            let case = Case {
                handoff: text(&handoff["id"]),
                lead: text(&handoff["lead_id"]),
                rep: draw.one(&REPS),
                fit: points(&evidence["fit"]),
                engagement: points(&evidence["engagement"]),
                asked: if evidence["qualified_by"] == "hand_raise" { 1.0 } else { 0.0 },
                employees: lead["profile"]["company"]["employees"].as_i64().unwrap_or(20),
                amount: 0,
                draw,
            };
            self.plan(now + TimeDelta::minutes(minutes), Task::Answer, case);
        }
        Ok(())
    }

    fn plan(&mut self, at: DateTime<Utc>, task: Task, case: Case) {
        self.planned += 1;
        self.tasks.insert((at, self.planned), (task, case));
    }

    /// Accepts, rejects or recycles a lead. A handoff that was withdrawn meanwhile needs no answer.
    async fn answer(&mut self, stage: &House, now: DateTime<Utc>, mut case: Case) -> anyhow::Result<()> {
        let path = |verb: &str| format!("/v1/handoffs/{}/{verb}", case.handoff);
        let takes = -2.8 + 0.06 * case.fit + 0.03 * case.engagement + 0.8 * case.asked;
        if case.draw.of_thousand(likely(takes)) {
            if stage.try_post(&path("accept"), &json!({"rep": case.rep})).await?.is_some() {
                self.results.accepted += 1;
                let days = case.draw.between(2, 18);
                self.plan(now + TimeDelta::days(days), Task::Qualify, case);
            }
            return Ok(());
        }
        if case.draw.percent(25) {
            let until = now + TimeDelta::days(case.draw.between(45, 120));
            let body = json!({"rep": case.rep, "until": until, "reason": "Asked us to call again later"});
            self.results.recycled += u32::from(stage.try_post(&path("recycle"), &body).await?.is_some());
            return Ok(());
        }
        let likely: &[&str] = if case.fit < 10.0 {
            &["not_a_fit", "not_a_buyer"]
        } else {
            &["no_need", "bad_timing", "no_budget", "not_reachable"]
        };
        let reason = one_of(&self.reject_reasons, likely, &mut case.draw);
        let body = json!({"rep": case.rep, "reason": reason});
        self.results.rejected += u32::from(stage.try_post(&path("reject"), &body).await?.is_some());
        Ok(())
    }

    /// Records an opportunity for the lead, or recycles the lead.
    async fn qualify(&mut self, stage: &House, now: DateTime<Utc>, mut case: Case) -> anyhow::Result<()> {
        let deal = -1.5 + 0.05 * case.fit + 0.02 * case.engagement + 0.4 * case.asked;
        if !case.draw.of_thousand(likely(deal)) {
            let until = now + TimeDelta::days(case.draw.between(60, 150));
            let body = json!({"rep": case.rep, "until": until, "reason": "No project this year"});
            let path = format!("/v1/handoffs/{}/recycle", case.handoff);
            self.results.recycled += u32::from(stage.try_post(&path, &body).await?.is_some());
            return Ok(());
        }
        let seats = case.employees.clamp(3, 1_500) * case.draw.between(4, 12) / 10;
        case.amount = seats.max(2) * 29 * 12 * 100;
        let body =
            json!({"outcome": "opportunity", "amount": case.amount, "currency": "EUR", "author": case.rep});
        if stage.try_post(&format!("/v1/leads/{}/outcome", case.lead), &body).await?.is_some() {
            self.results.opportunities += 1;
            let days = case.draw.between(7, 45);
            self.plan(now + TimeDelta::days(days), Task::Close, case);
        }
        Ok(())
    }

    /// Records the deal as won or lost.
    async fn close(&mut self, stage: &House, mut case: Case) -> anyhow::Result<()> {
        let path = format!("/v1/leads/{}/outcome", case.lead);
        let wins = -3.0 + 0.07 * case.fit + 0.03 * case.engagement + 0.6 * case.asked;
        if case.draw.of_thousand(likely(wins)) {
            let amount = case.amount * case.draw.between(75, 105) / 100;
            let body = json!({"outcome": "won", "amount": amount, "currency": "EUR", "author": case.rep});
            if stage.try_post(&path, &body).await?.is_some() {
                self.results.won += 1;
                self.results.worth += amount;
            }
            return Ok(());
        }
        let likely = ["price", "no_decision", "competitor", "missing_feature", "no_response"];
        let reason = one_of(&self.loss_reasons, &likely, &mut case.draw);
        let body = json!({"outcome": "lost", "reason": reason, "author": case.rep});
        self.results.lost += u32::from(stage.try_post(&path, &body).await?.is_some());
        Ok(())
    }

    /// Claims the next lead of the queue and completes the call.
    async fn call(&mut self, stage: &House, now: DateTime<Utc>, rep: &str) -> anyhow::Result<()> {
        let Some(claim) = stage.try_post("/v1/queues/sales/next", &json!({"rep": rep})).await? else {
            return Ok(());
        };
        let mut body = json!({"token": claim["token"], "note": self.calls.one(&NOTES)});
        if self.calls.percent(15) {
            body["callback_at"] = json!(now + TimeDelta::hours(self.calls.between(20, 80)));
        }
        let path = format!("/v1/claims/{}/complete", text(&claim["id"]));
        self.results.calls += u32::from(stage.try_post(&path, &body).await?.is_some());
        Ok(())
    }
}

/// Converts the logarithm of odds to a probability, in thousandths (the logistic function).
fn likely(log_odds: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1 000")]
    let thousandths = (1_000.0 / (1.0 + (-log_odds).exp())).round() as u32;
    thousandths
}

/// Picks a likely reason. If the policy does not have it, returns the policy's first reason.
fn one_of(known: &[String], likely: &[&str], draw: &mut Draw) -> String {
    let wanted = draw.one(likely);
    known.iter().find(|code| *code == wanted).or(known.first()).cloned().unwrap_or_default()
}

/// Hashes an address and a cycle to a number of 40 bits.
fn number_of(email: &str, cycle: &Value) -> u64 {
    // FNV-1a.
    let hash = email.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.wrapping_add(cycle.as_u64().unwrap_or(0)) & ((1 << 40) - 1)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_are_even_at_nought_and_certain_far_from_there() {
        assert_eq!((likely(0.0), likely(-20.0), likely(20.0)), (500, 0, 1_000));
    }

    #[test]
    fn a_policy_without_the_usual_reasons_gives_its_own() {
        let mut draw = Draw::new(1, 1);
        assert_eq!(one_of(&["ours".to_owned()], &["price"], &mut draw), "ours");
        assert_eq!(one_of(&["ours".to_owned(), "price".to_owned()], &["price"], &mut draw), "price");
    }
}
