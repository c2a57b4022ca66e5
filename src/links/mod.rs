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
mod page;
mod public;
mod ring;
mod store;
mod token;

use tokio::sync::watch;

use crate::app::App;
use ring::Ring;
use token::Secret;

/// What this process knows of links: the secrets, and how much is being counted.
#[derive(Debug, Default)]
pub struct Links {
    ring: Ring,
    under_way: watch::Sender<usize>,
}

impl Links {
    /// Waits until everything is counted.
    pub async fn idle(&self) {
        // The sender is our own: it cannot be gone.
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Sees to it that there is a secret, and reads those that there are.
pub async fn ensure(app: &App) -> sqlx::Result<()> {
    let secret = Secret::generate(&app.ids);
    store::insert_first(&mut *app.db.acquire().await?, &secret, app.clock.now()).await?;
    ring::read(app).await?;
    Ok(())
}

/// Makes the secret by which tokens are signed from now on. Those before it are believed on, unless they are to end.
async fn rotate(app: &App, end_others: bool) -> sqlx::Result<()> {
    let (secret, now) = (Secret::generate(&app.ids), app.clock.now());
    let mut tx = app.db.begin().await?;
    store::lock(&mut tx).await?;
    if end_others {
        store::end_all(&mut tx, now).await?;
    }
    store::insert_next(&mut tx, &secret, now).await?;
    tx.commit().await?;
    ring::read(app).await?;
    Ok(())
}
