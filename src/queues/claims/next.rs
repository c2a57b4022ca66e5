//! Handing out the next lead.

use chrono::{DateTime, NaiveTime, Utc};
use sqlx::PgConnection;

use super::{
    super::{
        document::Queue,
        hours::first_instant,
        is_name, reasons,
        store::lock,
        walk::{Asked, Ranked, Walk},
    },
    Claim, adopt,
    store::{self, NewClaim},
    view as claims,
};
use crate::{
    http::problem::{Code, Problem},
    leads::view::{self, LeadRow, LeadView},
    models::Version,
    platform::{db, ids::ClaimId},
    queues::Queues,
};

/// How often handing out begins again after a collision with another transaction.
const MOST_COLLISIONS: u32 = 3;

/// Why a request for the next lead is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum NextError {
    #[error("no such queue")]
    NotFound,
    /// The rep has got the queue's `most_a_day` leads today.
    #[error("the rep got {0} leads today, which is the limit")]
    Today(u32),
    /// The rep holds the queue's `most_at_once` leads.
    #[error("the rep holds {0} leads, which is the limit")]
    AtOnce(u32),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A claim that a rep got, with its lead.
pub(super) struct Given {
    pub(super) claim: Claim,
    pub(super) lead: LeadView,
    /// The time of the claim, by the database's clock.
    pub(super) now: DateTime<Utc>,
}

/// The result of an attempt to hand out a lead.
enum Taken {
    /// The rep has the lead.
    Got(Box<Given>),
    /// There is no free lead, or another queue handed out this lead first.
    None,
    /// Claims on merged leads were moved to this lead, so its place in the queue may have changed.
    Changed,
}

/// Gives a rep a claim on the best free lead of a queue. Returns `None` if no lead is free.
///
/// `request` is the caller's idempotency key. If the rep got a claim under this key before, that claim is
/// returned.
pub(super) async fn next(
    queues: &Queues,
    name: &str,
    rep: &str,
    request: Option<&str>,
) -> Result<Option<Given>, NextError> {
    if !is_name(name) {
        return Err(NextError::NotFound);
    }
    // The semaphore is never closed, so this always succeeds.
    let _turn = queues.handing_out.acquire().await;
    let mut collisions = 0;
    loop {
        match attempt(queues, name, rep, request).await {
            Ok(Taken::Got(given)) => return Ok(Some(*given)),
            Ok(Taken::None) => return Ok(None),
            Ok(Taken::Changed) => {}
            // Two queues wanted the same leads in a different order.
            Err(NextError::Database(error)) if db::is_collision(&error) && collisions < MOST_COLLISIONS => {
                collisions += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Hands out the next lead, in one transaction that holds the queue's row.
async fn attempt(queues: &Queues, name: &str, rep: &str, request: Option<&str>) -> Result<Taken, NextError> {
    let mut tx = queues.db.begin().await?;
    let (_, queue) =
        lock(&mut tx, name).await?.ok_or(NextError::NotFound)?.ready().map_err(sqlx::Error::from)?;
    let now = super::super::now(queues, &mut tx).await?;
    let live = queues.live.current(&mut tx).await?;
    if let Some(request) = request
        && let Some(id) = store::by_request(&mut tx, name, rep, request).await?
    {
        return Ok(given_before(&mut tx, id, &live, now).await?);
    }
    may_have_another(&mut tx, &queue, rep, now).await?;
    let asked = Asked { queue: &queue, model: live.id, rep: Some(rep), now, free: true };
    let mut walk = Walk::new(asked, None, None);
    while let Some(batch) = walk.more(&mut tx).await? {
        for ranked in batch.iter().filter(|ranked| ranked.obstacle.is_none()) {
            let taken = take(&mut tx, queues, asked, &live, ranked, request).await?;
            if !matches!(taken, Taken::None) {
                tx.commit().await?;
                return Ok(taken);
            }
        }
    }
    Ok(Taken::None)
}

/// Reads the claim that the same request made before.
async fn given_before(
    conn: &mut PgConnection,
    id: ClaimId,
    live: &Version,
    now: DateTime<Utc>,
) -> sqlx::Result<Taken> {
    let Some(claim) = claims::find(conn, id, live.id).await? else { return Ok(Taken::None) };
    let found = view::find(conn, live.id, claim.lead_id).await?;
    let lead = view::shown(conn, found.into_iter().collect()).await?.pop();
    Ok(lead.map_or(Taken::None, |lead| Taken::Got(Box::new(Given { claim, lead, now }))))
}

/// Fails if the rep has reached a limit of the queue. The queue's row is locked, so the counts are exact.
async fn may_have_another(
    conn: &mut PgConnection,
    queue: &Queue,
    rep: &str,
    now: DateTime<Utc>,
) -> Result<(), NextError> {
    if queue.most_a_day.is_none() && queue.most_at_once.is_none() {
        return Ok(());
    }
    let midnight = now.with_timezone(&queue.zone).date_naive().and_time(NaiveTime::MIN);
    let day = first_instant(queue.zone, midnight).expect("no clock skips more than a day");
    let load = store::load(conn, &queue.name, rep, day, now).await?;
    match (queue.most_a_day, queue.most_at_once) {
        (Some(most), _) if load.today >= i64::from(most) => Err(NextError::Today(most)),
        (_, Some(most)) if load.held >= i64::from(most) => Err(NextError::AtOnce(most)),
        _ => Ok(()),
    }
}

/// Tries to make a claim on a lead.
async fn take(
    conn: &mut PgConnection,
    queues: &Queues,
    asked: Asked<'_>,
    live: &Version,
    ranked: &Ranked,
    request: Option<&str>,
) -> sqlx::Result<Taken> {
    let Asked { queue, now, .. } = asked;
    let lead_id = ranked.lead.lead_id;
    if adopt(conn, lead_id, now).await? {
        return Ok(Taken::Changed);
    }
    let Some(lead) = view::find(conn, live.id, lead_id).await?.filter(|lead| lead.id == lead_id) else {
        return Ok(Taken::None);
    };
    store::expire(conn, lead_id, now).await?;
    let why = reasons::of(queue, ranked.position.tier, &ranked.lead, live, lead.tally(), now);
    let new = NewClaim {
        id: ClaimId(queues.ids.next()),
        lead_id,
        queue: &queue.name,
        rep: asked.rep.expect("a rep asks for the lead"),
        request,
        why: &why,
        claimed_at: now,
        expires_at: now + queue.length,
    };
    let Some(token) = store::insert(conn, &new).await? else { return Ok(Taken::None) };
    let claim = new.made(token, &lead);
    let shown = view::shown(conn, vec![lead]).await?.pop();
    Ok(shown.map_or(Taken::None, |lead| Taken::Got(Box::new(Given { claim, lead, now }))))
}

impl NewClaim<'_> {
    /// The claim as it was stored, with what is known of its lead.
    fn made(&self, token: i64, lead: &LeadRow) -> Claim {
        Claim {
            id: self.id,
            lead_id: self.lead_id,
            token,
            queue: self.queue.to_owned(),
            rep: self.rep.to_owned(),
            why: self.why.to_vec(),
            claimed_at: self.claimed_at,
            expires_at: self.expires_at,
            ended_at: None,
            outcome: None,
            reason: None,
            rests_until: None,
            callback_at: None,
            stage: Some(lead.stage),
            do_not_contact: Some(lead.do_not_contact),
            merged: false,
        }
    }
}

impl From<NextError> for Problem {
    fn from(error: NextError) -> Problem {
        match error {
            NextError::NotFound => Problem::not_found("queue"),
            NextError::Today(most) => Problem::new(
                Code::CapReached,
                format!(
                    "The rep got {most} leads of this queue today, which is the limit. Ask again tomorrow."
                ),
            ),
            NextError::AtOnce(most) => Problem::new(
                Code::CapReached,
                format!(
                    "The rep holds {most} leads of this queue, which is the limit. Finish a claim first."
                ),
            ),
            NextError::Database(error) => error.into(),
        }
    }
}
