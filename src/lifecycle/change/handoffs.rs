//! Handoffs follow the stages: a lead that becomes ripe is offered to sales, and loses the offer when it is
//! no longer ripe.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgConnection;

use super::{Evidence, phases::Phases, rollback::Touched};
use crate::{
    leads::{Cause, Lead, LockedLeads, Stage},
    lifecycle::stages::{self, ChangeContext, End, Handoff, HandoffState, NewHandoff, is_offered},
    platform::{clock::to_instant, ids::LeadId},
    scores,
};

/// What a person says when offering a lead by hand. The default is an offer by the rules.
#[derive(Debug, Default)]
pub struct ByHand {
    /// The person who offers. `None`: the rules offer.
    pub by: Option<String>,
    /// The rep who must answer. `None`: the rep named by the lead's attribute `owner`, if there is one.
    pub rep: Option<String>,
    /// The caller's idempotency key.
    pub request_key: Option<String>,
}

/// Offers a locked lead to sales, with the evidence as of now.
///
/// The caller makes sure that the lead has no open handoff, and that the lead's new events are in the log.
///
/// # Panics
///
/// Never: evidence is plain data.
pub(super) async fn offer(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    lead: &Lead,
    by_hand: ByHand,
) -> sqlx::Result<Handoff> {
    let history = scores::read_log_of(conn, lead.id).await?;
    let profile = history.profile.to_profile();
    let owner = profile.get("owner").and_then(Value::as_str).map(str::to_owned);
    let as_of = to_instant(context.now);
    let evidence = Evidence::of(lead, context.live(), context.policy.version, history, as_of);
    let new = NewHandoff {
        by: by_hand.by,
        rep: by_hand.rep.or(owner),
        score: evidence.score(),
        model_id: context.live().id,
        evidence: serde_json::to_value(&evidence).expect("evidence is plain data"),
        request_key: by_hand.request_key,
    };
    stages::offer(conn, context, lead, new).await
}

/// What to do about a lead's handoff.
enum Due {
    /// Make a handoff, if none is open.
    Offer,
    /// Make a handoff, if none is open, and accept it: the policy has made the lead an SQL.
    Accept,
    /// Withdraw the open handoff, if there is one. The text is the reason.
    Withdraw(&'static str),
}

/// Makes and withdraws handoffs after leads have changed. Returns which handoffs were changed and how, by
/// lead.
pub(super) async fn follow(
    conn: &mut PgConnection,
    phases: &Phases<'_>,
) -> sqlx::Result<BTreeMap<LeadId, Vec<Touched>>> {
    let Phases { context, leads: locked, live, transitions, moves, .. } = phases;
    let (context, put_back) = (*context, &moves.put_back);
    let gone: Vec<(LeadId, LeadId)> = locked.gone.iter().map(|(id, heir)| (*id, *heir)).collect();
    stages::inherit(conn, context, &gone).await?;

    let last: BTreeMap<LeadId, Cause> =
        transitions.iter().map(|made| (made.lead_id, made.passed.why.cause)).collect();
    let mut touched: BTreeMap<LeadId, Vec<Touched>> = BTreeMap::new();
    let mut due: BTreeMap<LeadId, Due> = BTreeMap::new();
    for (id, state, _) in live.scored() {
        let (Some(before), Some(lead)) = (locked.before(id), locked.leads.get(&id)) else { continue };
        let stood = is_offered(before, state.was_silent()) && before.merged_into.is_none();
        // An heir may just have got the merged lead's handoff. A lead that was unmerged has its own handoff
        // again.
        let was = stood || gone.iter().any(|(_, heir)| *heir == id) || before.merged_into.is_some();
        let is = is_offered(lead, lead.do_not_contact(&state.tally));
        let by_policy = last.get(&id) == Some(&Cause::Policy);
        let back = put_back.get(&id);
        if let Some(back) = back {
            touched.insert(id, put_handoffs_back(conn, context, back, is || by_policy).await?);
        }
        match last.get(&id) {
            Some(Cause::Policy) => due.insert(id, Due::Accept),
            _ if is && !stood && back.is_none() && context.policy.document.handoff.auto_offer => {
                due.insert(id, Due::Offer)
            }
            cause if was && !is => due.insert(id, Due::Withdraw(why(lead, cause.copied()))),
            _ => None,
        };
    }
    if !due.is_empty() {
        carry_out(conn, context, locked, due, &mut touched).await?;
    }
    Ok(touched)
}

/// Puts handoffs back to the states that they had before the version that is rolled back changed them.
///
/// A handoff that was open comes last, and is opened again only if the lead may have an open handoff.
async fn put_handoffs_back(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    handoffs: &[Touched],
    may_be_open: bool,
) -> sqlx::Result<Vec<Touched>> {
    let mut done = Vec::new();
    let was_open = |touched: &&Touched| touched.was == Some(HandoffState::Open);
    let closed = handoffs.iter().filter(|touched| !was_open(touched));
    let open = handoffs.iter().filter(was_open).filter(|_| may_be_open);
    for Touched { id, was, is } in closed.chain(open) {
        let to = was.filter(|was| matches!(was, HandoffState::Open | HandoffState::Accepted));
        let to = to.unwrap_or(HandoffState::Withdrawn);
        if to != *is {
            stages::put_handoff_back(conn, context, *id, to).await?;
            done.push(Touched { id: *id, was: Some(*is), is: to });
        }
    }
    Ok(done)
}

/// Carries out what is due, and notes in `touched` which handoffs were changed.
async fn carry_out(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    locked: &LockedLeads,
    due: BTreeMap<LeadId, Due>,
    touched: &mut BTreeMap<LeadId, Vec<Touched>>,
) -> sqlx::Result<()> {
    let leads: Vec<LeadId> = due.keys().copied().collect();
    let mut open: BTreeMap<LeadId, Handoff> =
        stages::open_handoffs(conn, &leads).await?.into_iter().map(|one| (one.lead_id, one)).collect();
    for (id, due) in due {
        let Some(lead) = locked.leads.get(&id) else { continue };
        let existing = open.remove(&id);
        let was = existing.as_ref().map(|_| HandoffState::Open);
        let done = match (due, existing) {
            (Due::Offer, None) => {
                let handoff = offer(conn, context, lead, ByHand::default()).await?;
                Some((handoff.id, HandoffState::Open))
            }
            (Due::Accept, existing) => {
                let taken = match existing {
                    Some(existing) => existing,
                    None => offer(conn, context, lead, ByHand::default()).await?,
                };
                let accepted = End::ruled(HandoffState::Accepted, Some("policy"));
                stages::end(conn, context, &taken, &accepted).await?;
                Some((taken.id, HandoffState::Accepted))
            }
            (Due::Withdraw(why), Some(existing)) => {
                let withdrawn = End::ruled(HandoffState::Withdrawn, Some(why));
                stages::end(conn, context, &existing, &withdrawn).await?;
                Some((existing.id, HandoffState::Withdrawn))
            }
            (Due::Offer, Some(_)) | (Due::Withdraw(_), None) => None,
        };
        touched.entry(id).or_default().extend(done.map(|(id, is)| Touched { id, was, is }));
    }
    Ok(())
}

/// Returns why a handoff is withdrawn, as a code: the cause of the last passage, or `do_not_contact`.
fn why(lead: &Lead, cause: Option<Cause>) -> &'static str {
    match cause {
        Some(cause) if lead.stage() != Stage::Mql => cause.as_str(),
        // The handoff was another lead's until this merge.
        None if lead.stage() != Stage::Mql => Cause::Merge.as_str(),
        _ => "do_not_contact",
    }
}
