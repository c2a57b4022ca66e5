//! The sweep over claims that have expired, or whose leads were merged, erased or refused contact.

use std::time::Duration;

use super::{State, adopt, store, view};
use crate::{platform::sweep::Sweep, queues::Queues};

/// How many claims one run settles.
const AT_ONCE: i64 = 500;

/// Ends the claims that are over, and moves the claims on merged leads to the heirs.
#[derive(Debug)]
pub struct SettleClaims;

impl Sweep for SettleClaims {
    type State = Queues;

    const NAME: &'static str = "settle_claims";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(queues: &Queues) -> Result<usize, sqlx::Error> {
        let mut conn = queues.db.acquire().await?;
        let now = super::super::now(queues, &mut conn).await?;
        let live = queues.live.current(&mut conn).await?.id;
        let unsettled = view::unsettled(&mut conn, live, now, AT_ONCE).await?;
        let merged = store::merged(&mut conn, now).await?;
        drop(conn);
        for state in [State::Expired, State::DoNotContact, State::Erased] {
            let ids: Vec<_> =
                unsettled.iter().filter(|claim| claim.state(now) == state).map(|claim| claim.id).collect();
            let mut tx = queues.db.begin().await?;
            store::end(&mut tx, &ids, state, now).await?;
            tx.commit().await?;
        }
        for lead in &merged {
            let mut tx = queues.db.begin().await?;
            if let Some(heir) = store::heir(&mut tx, *lead).await? {
                adopt(&mut tx, heir, now).await?;
            }
            tx.commit().await?;
        }
        Ok(unsettled.len() + merged.len())
    }
}
