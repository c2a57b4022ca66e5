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

/// What the calls of links work with: the intake, the secrets, and the number of links being counted. Cheap
/// to clone.
#[derive(Debug, Clone)]
pub struct Links {
    /// The intake of events.
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
    /// Makes the state of links. No secret is read yet.
    pub fn new(intake: Intake) -> Links {
        Links { intake, ring: Arc::default(), under_way: Arc::default() }
    }

    /// Waits until all followed links are counted.
    pub async fn idle(&self) {
        // This cannot fail: `self` holds the sender.
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Makes the first secret if there is none, and reads all secrets.
pub async fn ensure(links: &Links) -> sqlx::Result<()> {
    let secret = Secret::generate(&links.ids);
    store::insert_first(&mut *links.db.acquire().await?, &secret, links.clock.now()).await?;
    ring::read(links).await?;
    Ok(())
}

/// Makes a new secret, which signs all later tokens. Tokens of earlier secrets stay valid, unless
/// `end_others` is true.
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
