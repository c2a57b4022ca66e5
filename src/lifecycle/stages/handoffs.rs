//! Handoffs to sales: making, ending and reopening them when leads pass from stage to stage.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{ChangeContext, store};
use crate::{
    feed::outbox::{self, Change, Kind},
    leads::{Lead, Stage},
    models::published,
    platform::ids::{HandoffId, LeadId, ModelId},
};

pub use super::store::open_handoffs;

/// The state of a handoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = HandoffState)]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum HandoffState {
    /// The handoff waits for the answer of sales.
    Open,
    /// Sales has taken the lead.
    Accepted,
    /// Sales has rejected the lead, and gave a reason.
    Rejected,
    /// Sales has sent the lead back to ripen.
    Recycled,
    /// Nobody answered in time.
    Expired,
    /// The lead is no longer offered: its score fell, the person asked not to be contacted, the policy
    /// excludes the lead, or a person moved it.
    Withdrawn,
    /// The lead was joined with another lead that has an open handoff. That handoff goes on.
    Merged,
}

impl HandoffState {
    /// The name of the state, as stored and as in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The kind of change that the feed gets when a handoff enters this state.
    fn kind(self) -> Kind {
        match self {
            HandoffState::Open => Kind::HandoffOffered,
            HandoffState::Accepted => Kind::HandoffAccepted,
            HandoffState::Rejected => Kind::HandoffRejected,
            HandoffState::Recycled => Kind::HandoffRecycled,
            HandoffState::Expired => Kind::HandoffExpired,
            HandoffState::Withdrawn | HandoffState::Merged => Kind::HandoffWithdrawn,
        }
    }
}

/// The parts of a new handoff that the caller gives.
#[derive(Debug)]
pub struct NewHandoff {
    /// The person who offers. `None`: the rules offer.
    pub by: Option<String>,
    /// The rep who must answer, if one is named.
    pub rep: Option<String>,
    /// The published score at the moment of the offer.
    pub score: i64,
    /// The version of the model that gave the score.
    pub model_id: ModelId,
    /// The evidence, as JSON.
    pub evidence: Value,
    /// The idempotency key of the call that offers.
    pub request_key: Option<String>,
}

/// A handoff, without its evidence and its answer.
#[derive(Debug, Clone)]
pub struct Handoff {
    /// The id of the handoff.
    pub id: HandoffId,
    /// The lead that is offered.
    pub lead_id: LeadId,
    /// The state of the handoff.
    pub state: HandoffState,
    /// The lead's cycle when the handoff was made.
    pub cycle: i32,
    /// The published score when the handoff was made.
    pub score: i32,
    /// The rep who must answer.
    pub rep: Option<String>,
    /// By when sales must answer, in UTC. `None`: at any time.
    pub due_at: Option<DateTime<Utc>>,
}

impl Handoff {
    /// Makes an entry of the feed about the handoff. The fields of `more` are added to its data.
    pub fn change(&self, kind: Kind, at: DateTime<Utc>, more: Value) -> Change {
        let mut data = json!({
            "handoff_id": self.id,
            "state": self.state,
            "rep": self.rep,
            "due_at": self.due_at,
            "cycle": self.cycle,
            "score": self.score,
        });
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more);
        }
        Change { lead_id: self.lead_id, kind, at, data }
    }
}

/// Stores a new handoff of a locked lead and publishes it. The caller makes sure that the lead has no open
/// handoff.
pub async fn offer(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    lead: &Lead,
    new: NewHandoff,
) -> sqlx::Result<Handoff> {
    let terms = &context.policy.document.handoff;
    let after = |span: Option<scoring::Span>| span.map(|span| context.now + TimeDelta::microseconds(span.0));
    let handoff = Handoff {
        id: HandoffId(context.ids.next()),
        lead_id: lead.id,
        state: HandoffState::Open,
        cycle: lead.cycle,
        score: published(new.score),
        rep: new.rep.clone(),
        due_at: after(terms.sla),
    };
    store::insert_handoff(conn, &handoff, &new, context.now, after(terms.expires_after)).await?;
    let change = handoff.change(Kind::HandoffOffered, context.now, json!({"by": new.by}));
    outbox::publish(conn, context.ids, &[change]).await?;
    Ok(handoff)
}

/// How a handoff ends: an open handoff, or an accepted handoff that sales recycles.
#[derive(Debug, Clone)]
pub struct End<'a> {
    /// The state after the end.
    pub state: HandoffState,
    /// The person who answers. `None`: the rules end the handoff.
    pub by: Option<&'a str>,
    /// The rep who has the lead from now on, if the handoff is accepted.
    pub rep: Option<&'a str>,
    /// The reason: a code of the policy, a text of the person, or the cause for which the handoff was
    /// withdrawn.
    pub reason: Option<&'a str>,
    /// A note of the person who answers.
    pub note: Option<&'a str>,
    /// The instant before which the lead cannot be an MQL again, if sales recycles the lead and names one.
    pub recycle_until: Option<DateTime<Utc>>,
    /// The handoff that goes on, if the leads of two handoffs were joined.
    pub merged_into: Option<HandoffId>,
}

impl<'a> End<'a> {
    /// An end by the rules, with a reason.
    pub fn ruled(state: HandoffState, reason: Option<&'a str>) -> End<'a> {
        End { state, by: None, rep: None, reason, note: None, recycle_until: None, merged_into: None }
    }
}

/// Ends a handoff of a locked lead, and publishes the end.
pub async fn end(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    handoff: &Handoff,
    end: &End<'_>,
) -> sqlx::Result<()> {
    store::end_handoff(conn, handoff.id, end, context.now).await?;
    let ended = Handoff {
        state: end.state,
        rep: end.rep.map(str::to_owned).or_else(|| handoff.rep.clone()),
        ..handoff.clone()
    };
    let mut more = json!({"by": end.by, "reason": end.reason, "until": end.recycle_until});
    if let Some(handoff) = end.merged_into {
        more["merged_into"] = json!(handoff);
    }
    let change = ended.change(end.state.kind(), context.now, more);
    outbox::publish(conn, context.ids, &[change]).await
}

/// Gives an heir the handoffs, outcomes and checklist answers of the leads that were joined into it. `gone`
/// holds each of these leads with its heir.
///
/// If both leads have an open handoff, the heir's handoff stays open. The other ends as `merged` and names
/// the heir's.
pub async fn inherit(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    gone: &[(LeadId, LeadId)],
) -> sqlx::Result<()> {
    for (from, into) in gone {
        let open = store::open_handoffs(conn, &[*from, *into]).await?;
        let of = |lead: &LeadId| open.iter().find(|handoff| handoff.lead_id == *lead);
        if let (Some(theirs), Some(ours)) = (of(from), of(into)) {
            let merged =
                End { merged_into: Some(ours.id), ..End::ruled(HandoffState::Merged, Some("merge")) };
            end(conn, context, theirs, &merged).await?;
        }
        store::inherit(conn, *from, *into).await?;
    }
    Ok(())
}

/// Reopens the handoff that a merge had ended, after an unmerge. Does nothing if the lead is not an MQL or no
/// handoff was ended by the merge.
pub async fn reopen(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    lead: &Lead,
    other: LeadId,
    merged_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    if lead.stage() == Stage::Mql
        && let Some(handoff) = store::reopen(conn, lead.id, other, merged_at).await?
    {
        let change =
            handoff.change(Kind::HandoffOffered, context.now, json!({"by": null, "reason": "unmerge"}));
        outbox::publish(conn, context.ids, &[change]).await?;
    }
    Ok(())
}

/// Puts a handoff back to the state that it had before the rolled-back model changed it: open, accepted by
/// the policy, or withdrawn.
///
/// The time during which the handoff was withdrawn does not count: `due_at` and `expires_at` move on by that
/// time.
pub async fn put_handoff_back(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    id: HandoffId,
    state: HandoffState,
) -> sqlx::Result<()> {
    let reason = match state {
        HandoffState::Open => None,
        HandoffState::Accepted => Some("policy"),
        _ => Some("rollback"),
    };
    if let Some(handoff) = store::put_back(conn, id, state, reason, context.now).await? {
        let change = handoff.change(state.kind(), context.now, json!({"by": null, "reason": "rollback"}));
        outbox::publish(conn, context.ids, &[change]).await?;
    }
    Ok(())
}
