//! The secrets as this process knows them.
//!
//! They are believed for [`BELIEVED_SECONDS`] and then read again beside the request, which does not wait. Only a token
//! that names a secret which is not known yet waits for the database: another instance has made it a moment ago.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    store,
    token::{Presented, Secret, Token},
};
use crate::{
    http::problem::{Code, Problem},
    intake::links::Links,
    platform::db::damaged,
};

/// For how long the secrets are believed before the database is asked again.
const BELIEVED_SECONDS: i64 = 60;
/// How often at most the database is asked because of secrets that are not known.
const ASKED_EVERY_SECONDS: i64 = 1;
/// How long a request waits for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// The secrets, and when they were last asked for.
#[derive(Debug, Default)]
pub(super) struct Ring(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    secrets: BTreeMap<u16, Secret>,
    asked_at: Option<DateTime<Utc>>,
}

impl Ring {
    fn secret(&self, number: u16) -> Option<Secret> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).secrets.get(&number).cloned()
    }

    /// Whether it was so long ago that they were asked for; if so, it is now.
    fn is_due(&self, now: DateTime<Utc>, after: TimeDelta) -> bool {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let due = known.asked_at.is_none_or(|asked| now - asked >= after);
        if due {
            known.asked_at = Some(now);
        }
        due
    }

    fn learn(&self, secrets: BTreeMap<u16, Secret>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).secrets = secrets;
    }
}

/// Reads the secrets anew; the newest of them, which signs.
pub(super) async fn read(links: &Links) -> sqlx::Result<(u16, Secret)> {
    let rows = store::secrets(&mut *links.db.acquire().await?).await?;
    let secrets: BTreeMap<u16, Secret> = rows.into_iter().map(store::SecretRow::numbered).collect();
    let newest = secrets.iter().next_back().map(|(number, secret)| (*number, secret.clone()));
    links.ring.learn(secrets);
    newest.ok_or_else(|| damaged("link_secret has no secret that signs"))
}

/// What a token says; none if it is not one of ours.
pub(super) async fn verify(links: &Links, text: &str) -> Result<Option<Token>, Problem> {
    let Some(presented) = Presented::read(text) else { return Ok(None) };
    let (ring, now) = (&links.ring, links.clock.now());
    if let Some(secret) = ring.secret(presented.number) {
        if ring.is_due(now, TimeDelta::seconds(BELIEVED_SECONDS)) {
            let links = links.clone();
            links.tasks.clone().spawn(async move {
                if let Err(error) = read(&links).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the secrets of links cannot be read"
                    );
                }
            });
        }
        return Ok(presented.open(&secret));
    }
    if ring.is_due(now, TimeDelta::seconds(ASKED_EVERY_SECONDS)) {
        let away = || Problem::new(Code::Overloaded, "The link cannot be checked just now; try again.");
        tokio::time::timeout(PATIENCE, read(links)).await.map_err(|_| away())??;
    }
    Ok(ring.secret(presented.number).and_then(|secret| presented.open(&secret)))
}
