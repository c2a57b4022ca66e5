//! What a rep does with a claim.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{
    super::{
        document::Queue,
        find,
        order::Order,
        selection::Narrowed,
        store::{self as queues, Stretch},
        walk::Asked,
    },
    Claim, State, follow_lead,
    store::{self, Ending},
    view,
};
use crate::{
    http::{
        problem::{Code, Problem},
        said::mistake,
    },
    platform::ids::{ClaimId, ModelId},
    queues::Queues,
};

/// How long a lead rests that was worked for a queue which is no more.
const REST: TimeDelta = TimeDelta::days(1);

/// What a rep does with a claim.
#[derive(Debug)]
pub(super) enum Act {
    /// Holds on to it for as long again.
    Renew,
    /// Gives it back.
    Release { reason: Option<String> },
    /// Gives it back and puts it off.
    Skip { reason: String, delay: TimeDelta },
    /// Has worked it.
    Complete { note: Option<String>, callback_at: Option<DateTime<Utc>> },
}

/// Why a claim cannot act.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActError {
    #[error("no such claim")]
    NotFound,
    /// The token is that of another claim.
    #[error("another claim's token")]
    Token,
    /// It is over; whether the lead has been handed out again since.
    #[error("the claim is over")]
    Over { claim: Box<Claim>, state: State, again: bool },
    /// The lead is no longer one of the queue's; until when the claim holds.
    #[error("the lead has left the queue")]
    Left { queue: String, until: DateTime<Utc> },
    /// There is no such queue any more; until when the claim holds.
    #[error("the queue is no more")]
    NoQueue { queue: String, until: DateTime<Utc> },
    /// A callback in the past.
    #[error("the callback lies in the past")]
    Past,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Has a claim act, if it is the caller's and not over; the claim as it is then.
pub(super) async fn act(
    queues: &Queues,
    id: ClaimId,
    token: Option<i64>,
    act: Act,
) -> Result<Claim, ActError> {
    let live = queues.live.current(&mut *queues.db.acquire().await?).await?.id;
    follow_lead(queues, id, live).await?;
    let mut tx = queues.db.begin().await?;
    store::lock(&mut tx, id).await?;
    let claim = view::find(&mut tx, id, live).await?.ok_or(ActError::NotFound)?;
    let now = super::super::now(queues, &mut tx).await?;
    let state = claim.state(now);
    if state != State::Active {
        let again = store::is_later(&mut tx, claim.lead_id, claim.token).await?;
        return Err(ActError::Over { claim: Box::new(claim), state, again });
    }
    if token.is_some_and(|token| token != claim.token) {
        return Err(ActError::Token);
    }
    match act {
        Act::Renew => renew(&mut tx, &claim, live, now).await?,
        Act::Release { reason } => {
            let ending = Ending { state: State::Released, reason, rests_until: None, callback_at: None };
            store::finish(&mut tx, id, now, &ending).await?;
        }
        Act::Skip { reason, delay } => {
            let rests_until = Some(now + delay);
            let ending =
                Ending { state: State::Skipped, reason: Some(reason), rests_until, callback_at: None };
            store::finish(&mut tx, id, now, &ending).await?;
        }
        Act::Complete { note, callback_at } => complete(&mut tx, &claim, note, callback_at, now).await?,
    }
    let claim = view::find(&mut tx, id, live).await?.ok_or(ActError::NotFound)?;
    tx.commit().await?;
    Ok(claim)
}

async fn renew(
    conn: &mut PgConnection,
    claim: &Claim,
    model: ModelId,
    now: DateTime<Utc>,
) -> Result<(), ActError> {
    let (name, until) = (claim.queue.clone(), claim.expires_at);
    let Some(row) = find(conn, &name).await? else { return Err(ActError::NoQueue { queue: name, until }) };
    let (_, queue) = row.ready().map_err(sqlx::Error::from)?;
    if !is_in(conn, &queue, claim, model, now).await? {
        return Err(ActError::Left { queue: name, until });
    }
    store::renew(conn, claim.id, claim.expires_at.max(now + queue.length)).await?;
    Ok(())
}

/// Whether the claim's lead is still one of the queue's.
async fn is_in(
    conn: &mut PgConnection,
    queue: &Queue,
    claim: &Claim,
    model: ModelId,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let asked = Asked { queue, model, rep: Some(&claim.rep), now, free: false };
    let narrowed = Narrowed::by(&queue.filter, &queue.filter, &asked);
    let only = Stretch { only: Some(&[claim.lead_id]), after: None, limit: 1 };
    let found = queues::candidates(conn, &asked, &narrowed, &Order::ByScore, only).await?;
    Ok(found.iter().any(|lead| queue.filter.holds(lead, &asked)))
}

/// The lead was called. What was promised earlier is kept by that.
async fn complete(
    conn: &mut PgConnection,
    claim: &Claim,
    note: Option<String>,
    callback_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), ActError> {
    if callback_at.is_some_and(|at| at <= now) {
        return Err(ActError::Past);
    }
    let rest = match find(conn, &claim.queue).await? {
        Some(row) => row.ready().map_err(sqlx::Error::from)?.1.rest,
        None => REST,
    };
    store::call_back(conn, claim.lead_id, now).await?;
    let rests_until = Some(callback_at.unwrap_or(now + rest));
    let ending = Ending { state: State::Completed, reason: note, rests_until, callback_at };
    store::finish(conn, claim.id, now, &ending).await?;
    Ok(())
}

impl From<ActError> for Problem {
    fn from(error: ActError) -> Problem {
        match error {
            ActError::NotFound => Problem::not_found("claim"),
            ActError::Token => Problem::new(
                Code::WrongToken,
                "This token is not the claim's. The claim goes on; send the token that came with it.",
            ),
            ActError::Over { claim, state, again } => {
                Problem::new(Code::ClaimEnded, what_happened(&claim, state, again))
            }
            ActError::Left { queue, until } => Problem::new(
                Code::ClaimNotRenewable,
                format!(
                    "The lead is no longer one of the queue `{queue}`; finish by {}.",
                    until.to_rfc3339()
                ),
            ),
            ActError::NoQueue { queue, until } => Problem::new(
                Code::ClaimNotRenewable,
                format!("There is no queue `{queue}` any more; finish by {}.", until.to_rfc3339()),
            ),
            ActError::Past => {
                mistake("/callback_at", "already_past", "write an instant that is still to come")
            }
            ActError::Database(error) => error.into(),
        }
    }
}

fn what_happened(claim: &Claim, state: State, again: bool) -> String {
    let at = claim.ended_at.unwrap_or(claim.expires_at).format("%Y-%m-%d %H:%M:%S UTC");
    let since = if again { " The lead has been handed out again since." } else { "" };
    let what = match state {
        State::Active | State::Expired => format!("The claim's time was over at {at}."),
        State::Released => format!("The claim was released at {at}."),
        State::Skipped => format!("The lead was skipped at {at}."),
        State::Completed => format!("The claim was completed at {at}."),
        State::DoNotContact => "The person has asked not to be contacted.".to_owned(),
        State::Merged => "The lead turned out to be one that a rep held already.".to_owned(),
        State::Erased => "The lead was erased.".to_owned(),
    };
    format!("{what}{since} Ask for the next lead.")
}
