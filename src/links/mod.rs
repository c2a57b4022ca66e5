//! Links of mails that the customer sends by whatever means: a picture that tells of opens, links that tell of clicks, and
//! the way to say no to further mails.
//!
//! A *token* ([`token`]) stands in each of these addresses. It says whose mail it is, which, and for a click where it
//! leads; and it is signed. So the service redirects to nowhere but where it was told to by somebody with a key, and
//! believes a token without asking the database.
//!
//! - **A picture is always a picture**, and a redirect happens at once: what they tell is counted beside the answer, by the
//!   ordinary writers, and tried again if the database is away for a while.
//! - **Reading changes nothing but counts.** Programs that check mails follow every link; only a `POST`, which none of them
//!   makes, unsubscribes. It is answered once it is on disk, needs no key, and may be repeated (RFC 8058).
//! - **Nobody becomes a lead by a mail.** What an address that nobody has named otherwise does with it is kept, and counts once
//!   somebody has.
//! - **Somebody who was erased stays so**: a token names an identity by its hash, and where none is known nothing is
//!   written but, by that hash, that the address wants no mails.
//!
//! The event's id says what counts once: an open or a click of a token once a second by one program, so that what a browser
//! fetches twice is not counted twice; an unsubscription once, until the person has subscribed anew.

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
