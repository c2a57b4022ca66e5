//! Brings identities that an earlier release stored into their normal form, as if they had always had it.
//!
//! An earlier release kept apart what is now one identity: `jane@bücher.example` and `jane@xn--bcher-kva.example`.
//! Before the service is ready, a pass goes through all identities in the order of their ids. An identity in another
//! form is renamed, or joined with the identity that already has the form: events, links and words of consent. An
//! event that was sent under both forms is one event, and the first is kept. Leads that become one are joined as by
//! an `identify`, and replayed.
//!
//! The guarantees. Each identity is one transaction, under a lock that only one pass holds. A killed pass continues
//! from its last note. Two passes on two instances do everything once. What is stored equals a replay before and
//! after each transaction. An instance of an earlier release that still runs may write the old forms again. So the
//! pass is repeated every hour for a day ([`jobs::Normalise`]).

pub mod jobs;
mod store;

use chrono::TimeDelta;

use crate::{
    intake::verdicts,
    leads::{ResolveError, Respelling},
    lifecycle::{Lifecycle, change::LeadChange, policy},
    platform::{db, ids::IdentityId},
};

/// The version of the normal form. It must be raised when [`mod@crate::leads::identity`] turns the same text
/// into another value.
const FORM: i32 = 1;
/// How many identities one statement reads.
const PAGE: i64 = 50_000;
/// How long after the first pass the pass is repeated, and how often.
const WATCHED: (TimeDelta, TimeDelta) = (TimeDelta::days(1), TimeDelta::hours(1));

/// Brings every identity into its normal form, unless that was done before. Returns how many were changed.
pub async fn ensure(lifecycle: &Lifecycle) -> sqlx::Result<usize> {
    let state = store::state(&mut *lifecycle.db.acquire().await?).await?;
    if state.version >= FORM {
        return Ok(0);
    }
    let mut changed = 0;
    while let Some(found) = step(lifecycle).await? {
        changed += found;
    }
    // The policy's exclusions are compared in the normal form too.
    policy::reconsider(&mut *lifecycle.db.acquire().await?).await?;
    if changed > 0 {
        tracing::info!(identities = changed, "identities were brought into their normal form");
    }
    Ok(changed)
}

/// Normalises the next page of identities. Returns how many were changed. `None`: the pass is at its end.
async fn step(lifecycle: &Lifecycle) -> sqlx::Result<Option<usize>> {
    let mut conn = lifecycle.db.acquire().await?;
    let state = store::state(&mut conn).await?;
    let page = store::page(&mut conn, state.reached, PAGE).await?;
    let unusual = match page.last {
        Some(_) => page.unusual,
        // At the end, the pass handles identities under whose former form an instance has written again.
        None => store::written_again(&mut conn).await?,
    };
    drop(conn);
    let mut changed = 0;
    for identity in unusual {
        changed += usize::from(attempt(lifecycle, identity).await);
    }
    let mut conn = lifecycle.db.acquire().await?;
    match page.last {
        Some(last) => store::note(&mut conn, last).await?,
        None => store::finish(&mut conn, FORM, lifecycle.clock.now()).await?,
    }
    Ok(page.last.map(|_| changed))
}

/// Normalises an identity. Returns whether it was changed. An identity that fails is logged and stays as it
/// is, and the next pass tries again.
async fn attempt(lifecycle: &Lifecycle, identity: IdentityId) -> bool {
    db::retrying(|| normalise(lifecycle, identity)).await.unwrap_or_else(|error| {
        let error = &error as &dyn std::error::Error;
        tracing::error!(%identity, error, "cannot bring an identity into its normal form");
        false
    })
}

/// Brings one identity into its normal form, in one transaction. Returns false if it has that form already.
async fn normalise(lifecycle: &Lifecycle, identity: IdentityId) -> Result<bool, ResolveError> {
    let mut begun = LeadChange::begin(lifecycle).await?;
    store::take_turn(begun.conn()).await?;
    let now = begun.now();
    let Some(respelling) = Respelling::hold(begun.conn(), identity, now).await? else { return Ok(false) };
    let new = respelling.new.id();
    store::drop_repeated_events(begun.conn(), identity, new).await?;
    let mails = store::rename_events(begun.conn(), identity, new).await?;
    let leads = respelling.carry_out(begun.conn(), now).await?;
    let mut change = begun.with(leads).await?;
    let mails: Vec<(IdentityId, &str)> = mails.iter().map(|mail| (new, mail.as_str())).collect();
    for changed in verdicts::judge_mails(change.conn(), now, &mails).await? {
        change.requalify_owner(changed.identity_id, changed.occurred_at);
    }
    change.keep(|_| false);
    change.watch_consents([]).await?;
    change.commit().await?;
    Ok(true)
}
