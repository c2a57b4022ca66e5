//! This process's cache of the secrets.
//!
//! A secret is used for [`BELIEVED_SECONDS`], and then read again in the background, so that the request does
//! not wait. Only a token with an unknown secret waits for the database, because another instance may just
//! have made the secret.

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

/// How many seconds the secrets are used before they are read again.
const BELIEVED_SECONDS: i64 = 60;
/// How many seconds must pass between two reads because of unknown secrets.
const ASKED_EVERY_SECONDS: i64 = 1;
/// How long a request waits for the database at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// The secrets by their numbers, with when they were last read.
#[derive(Debug, Default)]
pub(super) struct Ring(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    secrets: BTreeMap<u16, Secret>,
    asked_at: Option<DateTime<Utc>>,
}

impl Ring {
    /// The secret of this number, if it is known.
    fn secret(&self, number: u16) -> Option<Secret> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).secrets.get(&number).cloned()
    }

    /// Whether the last read was at least `after` ago. If so, notes that the secrets are read now.
    fn is_due(&self, now: DateTime<Utc>, after: TimeDelta) -> bool {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let due = known.asked_at.is_none_or(|asked| now - asked >= after);
        if due {
            known.asked_at = Some(now);
        }
        due
    }

    /// Replaces the known secrets.
    fn learn(&self, secrets: BTreeMap<u16, Secret>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).secrets = secrets;
    }
}

/// Reads the secrets again. Returns the newest, which signs, with its number.
pub(super) async fn read(links: &Links) -> sqlx::Result<(u16, Secret)> {
    let rows = store::secrets(&mut *links.db.acquire().await?).await?;
    let secrets: BTreeMap<u16, Secret> = rows.into_iter().map(store::SecretRow::numbered).collect();
    let newest = secrets.iter().next_back().map(|(number, secret)| (*number, secret.clone()));
    links.ring.learn(secrets);
    newest.ok_or_else(|| damaged("link_secret has no secret that signs"))
}

/// Verifies a token. Returns `None` if the service has not signed it.
///
/// # Errors
/// An overload if the database does not answer in time and the secret is unknown.
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
                        "cannot read the secrets of links"
                    );
                }
            });
        }
        return Ok(presented.open(&secret));
    }
    if ring.is_due(now, TimeDelta::seconds(ASKED_EVERY_SECONDS)) {
        let away = || Problem::new(Code::Overloaded, "The link cannot be checked now. Try again.");
        tokio::time::timeout(PATIENCE, read(links)).await.map_err(|_| away())??;
    }
    Ok(ring.secret(presented.number).and_then(|secret| presented.open(&secret)))
}
