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

/// How often handing out begins again because another transaction was in the way.
const MOST_COLLISIONS: u32 = 3;

/// Why a rep gets no lead, though there may be one.
#[derive(Debug, thiserror::Error)]
pub(super) enum NextError {
    #[error("no such queue")]
    NotFound,
    /// The rep has had this many of the queue's leads today, which is the most.
    #[error("{0} leads a day are the most")]
    Today(u32),
    /// The rep holds this many of the queue's leads, which is the most.
    #[error("{0} leads at once are the most")]
    AtOnce(u32),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What a rep is given.
pub(super) struct Given {
    pub(super) claim: Claim,
    pub(super) lead: LeadView,
    /// What time it is.
    pub(super) now: DateTime<Utc>,
}

/// What became of an attempt to hand out a lead, or the next lead.
enum Taken {
    /// The rep has it.
    Got(Box<Given>),
    /// There is none, or another queue was faster.
    None,
    /// Claims on leads that were merged into this one have come to it, so its place may be another.
    Changed,
}

/// Gives a rep a claim on the best free lead of a queue; none if there is none. With a `request` for which the rep was
/// given a claim before, it is that claim again.
pub(super) async fn next(
    queues: &Queues,
    name: &str,
    rep: &str,
    request: Option<&str>,
) -> Result<Option<Given>, NextError> {
    if !is_name(name) {
        return Err(NextError::NotFound);
    }
    // Never closed, so there always is a turn.
    let _turn = queues.handing_out.acquire().await;
    let mut collisions = 0;
    loop {
        match attempt(queues, name, rep, request).await {
            Ok(Taken::Got(given)) => return Ok(Some(*given)),
            Ok(Taken::None) => return Ok(None),
            Ok(Taken::Changed) => {}
            // Two queues were after the same leads in a different order.
            Err(NextError::Database(error)) if db::is_collision(&error) && collisions < MOST_COLLISIONS => {
                collisions += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

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

/// Refuses a rep who has as many leads as the queue gives one. Nobody else hands out its leads meanwhile.
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
    /// The claim as it is stored, on a lead as it is.
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
