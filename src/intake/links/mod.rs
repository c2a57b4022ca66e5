//! Links for mails, whatever system sends them: a picture that reports opens, links that report clicks, and a way to
//! unsubscribe.
//!
//! Each address has a *token* ([`token`]). The token says which address the mail went to, which mail it is and, for a
//! click, where the link leads. The token is signed. So the service redirects only to destinations that a key holder
//! chose, and believes a token without asking the database.
//!
//! - **A picture is always a picture**, and a redirect happens at once. The ordinary writers count opens and clicks
//!   beside the answer, and try again if the database is away for a while.
//! - **Reading only counts.** Programs that check mails follow every link, but none of them sends a `POST`. Only a
//!   `POST` unsubscribes. It is answered when it is on disk, needs no key, and may be repeated (RFC 8058).
//! - **A mail makes no lead.** What an unknown address does with a mail is kept, and counts once somebody names the
//!   address in another way.
//! - **An erased person stays erased.** A token names an identity by its hash. If no identity has this hash, only the
//!   refusal of mails is written, by that hash.
//!
//! The event's id says what counts once. An open or click of a token counts once a second for one program, so a
//! double fetch of a browser counts once. An unsubscription counts once, until the person subscribes again.

pub mod api;
mod counting;
mod ring;
mod store;
mod token;

use std::{ops::Deref, sync::Arc};

use tokio::sync::watch;

use crate::intake::ingest::Intake;
use ring::Ring;
use token::Secret;

/// The intake, and what this process knows of links: the secrets, and how much is being counted. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Links {
    /// What takes events in.
    pub intake: Intake,
    ring: Arc<Ring>,
    under_way: Arc<watch::Sender<usize>>,
}

impl Deref for Links {
    type Target = Intake;

    fn deref(&self) -> &Intake {
        &self.intake
    }
}

impl Links {
    /// Nothing is known yet.
    pub fn new(intake: Intake) -> Links {
        Links { intake, ring: Arc::default(), under_way: Arc::default() }
    }

    /// Waits until everything is counted.
    pub async fn idle(&self) {
        // The sender is our own: it cannot be gone.
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Sees to it that there is a secret, and reads those that there are.
pub async fn ensure(links: &Links) -> sqlx::Result<()> {
    let secret = Secret::generate(&links.ids);
    store::insert_first(&mut *links.db.acquire().await?, &secret, links.clock.now()).await?;
    ring::read(links).await?;
    Ok(())
}

/// Makes the secret by which tokens are signed from now on. Those before it are believed on, unless they are to end.
async fn rotate(links: &Links, end_others: bool) -> sqlx::Result<()> {
    let (secret, now) = (Secret::generate(&links.ids), links.clock.now());
    let mut tx = links.db.begin().await?;
    store::lock(&mut tx).await?;
    if end_others {
        store::end_all(&mut tx, now).await?;
    }
    store::insert_next(&mut tx, &secret, now).await?;
    tx.commit().await?;
    ring::read(links).await?;
    Ok(())
}
