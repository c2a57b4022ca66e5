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

/// How long a lead rests after its claim is completed, if the claim's queue was deleted.
const REST: TimeDelta = TimeDelta::days(1);

/// What a rep does with a claim.
#[derive(Debug)]
pub(super) enum Act {
    /// The rep keeps the lead for another full length of a claim, counted from now.
    Renew,
    /// The rep gives the lead back.
    Release { reason: Option<String> },
    /// The rep gives the lead back, and the queue passes it over for `delay`.
    Skip { reason: String, delay: TimeDelta },
    /// The rep has called the lead.
    Complete { note: Option<String>, callback_at: Option<DateTime<Utc>> },
}

/// Why an act on a claim is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActError {
    #[error("no such claim")]
    NotFound,
    /// The token belongs to another claim.
    #[error("the token belongs to another claim")]
    Token,
    /// The claim has ended. `again`: whether the lead has been handed out again since.
    #[error("the claim is over")]
    Over { claim: Box<Claim>, state: State, again: bool },
    /// The lead is no longer in the queue. `until`: when the claim expires.
    #[error("the lead has left the queue")]
    Left { queue: String, until: DateTime<Utc> },
    /// The queue was deleted. `until`: when the claim expires.
    #[error("the queue was deleted")]
    NoQueue { queue: String, until: DateTime<Utc> },
    /// The promised callback is not in the future.
    #[error("the callback lies in the past")]
    Past,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Carries out an act on a claim that has not ended. Returns the claim after the act.
///
/// # Errors
/// Among others, [`ActError::Over`] if the claim has ended, and [`ActError::Token`] if `token` is not the
/// claim's.
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

/// Renews a claim: it then lasts the queue's full length from now, or as long as before if that is longer.
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

/// Whether the claim's lead still meets the filter of the queue.
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

/// Completes a claim: the lead was called. That fulfils callbacks that were promised to the lead earlier.
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
                "The token belongs to another claim. This claim is still active: send the token that came with it.",
            ),
            ActError::Over { claim, state, again } => {
                Problem::new(Code::ClaimEnded, what_happened(&claim, state, again))
            }
            ActError::Left { queue, until } => Problem::new(
                Code::ClaimNotRenewable,
                format!(
                    "The lead is no longer in the queue `{queue}`, so the claim cannot be renewed. Finish by {}.",
                    until.to_rfc3339()
                ),
            ),
            ActError::NoQueue { queue, until } => Problem::new(
                Code::ClaimNotRenewable,
                format!(
                    "The queue `{queue}` was deleted, so the claim cannot be renewed. Finish by {}.",
                    until.to_rfc3339()
                ),
            ),
            ActError::Past => mistake("/callback_at", "already_past", "write an instant in the future"),
            ActError::Database(error) => error.into(),
        }
    }
}

/// Says what happened to a claim that has ended, and what to do.
fn what_happened(claim: &Claim, state: State, again: bool) -> String {
    let at = claim.ended_at.unwrap_or(claim.expires_at).format("%Y-%m-%d %H:%M:%S UTC");
    let since = if again { " The lead has been handed out again since." } else { "" };
    let what = match state {
        State::Active | State::Expired => format!("The claim expired at {at}."),
        State::Released => format!("The claim was released at {at}."),
        State::Skipped => format!("The lead was skipped at {at}."),
        State::Completed => format!("The claim was completed at {at}."),
        State::DoNotContact => "The person has asked not to be contacted.".to_owned(),
        State::Merged => "The lead was merged with a lead that a rep held already.".to_owned(),
        State::Erased => "The lead was erased.".to_owned(),
    };
    format!("{what}{since} Ask for the next lead.")
}
