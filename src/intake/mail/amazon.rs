//! What Amazon is asked for: the certificates by which its messages are checked, and to confirm subscriptions.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use reqwest::Url;
use rustls::pki_types::CertificateDer;

use super::{
    news::Read,
    providers::{Refusal, ses},
};
use crate::{
    http::{
        aside::in_place,
        problem::{Code, Problem},
    },
    intake::mail::Mail,
};

/// How many certificates are remembered.
const MOST_CERTIFICATES: usize = 32;
/// How large a certificate may be, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024;
/// How long Amazon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a document is, or why it cannot be had.
pub type Fetched = BoxFuture<'static, Result<Vec<u8>, String>>;

/// Who fetches what Amazon has.
#[derive(Clone, Default)]
pub enum Fetch {
    /// The service itself, as it reaches the receivers of webhooks.
    #[default]
    Internet,
    /// Somebody else, in tests.
    Instead(Arc<dyn Fn(Url) -> Fetched + Send + Sync>),
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fetch::Internet => "Internet",
            Fetch::Instead(_) => "Instead",
        })
    }
}

/// The certificates that are known, by their addresses, and who fetches others.
#[derive(Debug)]
pub struct Amazon {
    fetch: Fetch,
    certificates: Mutex<HashMap<Url, CertificateDer<'static>>>,
}

impl Amazon {
    /// No certificate is known yet.
    pub fn new(fetch: Fetch) -> Amazon {
        Amazon { fetch, certificates: Mutex::default() }
    }

    fn known(&self, url: &Url) -> Option<CertificateDer<'static>> {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
    }

    fn remember(&self, url: Url, certificate: CertificateDer<'static>) {
        let mut known = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_CERTIFICATES {
            known.clear();
        }
        known.insert(url, certificate);
    }
}

/// Reads what Amazon sends, if it is one of these topics that sends it.
pub(super) async fn read(mail: &Mail, topics: &ses::Topics, body: &[u8]) -> Result<Read, Problem> {
    let message = in_place(body.len(), || ses::Message::parse(body)).ok_or(Refusal::Unreadable)?;
    let url = message.certificate_url().filter(|_| topics.name(&message)).ok_or(Refusal::NotVerified)?;
    let given = topics.certificates().ok_or(Refusal::NotVerified)?;
    let verified = if given.is_empty() {
        let certificate = certificate(mail, url).await?;
        in_place(body.len(), || message.is_signed_by(&certificate))
    } else {
        in_place(body.len(), || given.iter().any(|certificate| message.is_signed_by(certificate)))
    };
    if !verified {
        return Err(Refusal::NotVerified.into());
    }
    if let Some(url) = message.confirmation_url() {
        confirm(mail, url).await?;
    }
    Ok(in_place(body.len(), || message.read()))
}

async fn certificate(mail: &Mail, url: Url) -> Result<CertificateDer<'static>, Problem> {
    if let Some(known) = mail.amazon.known(&url) {
        return Ok(known);
    }
    let away = |error: &str| {
        tracing::warn!(error, "Amazon's certificate cannot be fetched");
        let message =
            "Amazon's certificate cannot be fetched just now; try again, or enter it with the mail source.";
        Problem::new(Code::Overloaded, message)
    };
    let pem = fetch(mail, url.clone()).await.map_err(|error| away(&error))?;
    let certificate = ses::certificate(&pem).ok_or_else(|| away("it is no certificate"))?;
    mail.amazon.remember(url, certificate.clone());
    Ok(certificate)
}

/// Tells Amazon that the subscription is wanted: it is a topic that was named, and the message is its own. What could not
/// be confirmed Amazon asks for again.
async fn confirm(mail: &Mail, url: Url) -> Result<(), Problem> {
    if let Err(error) = fetch(mail, url.clone()).await {
        let url = url.as_str();
        tracing::warn!(error, url, "a subscription could not be confirmed: open the URL to do it");
        let message = "The subscription cannot be confirmed just now; try again, or open its SubscribeURL.";
        return Err(Problem::new(Code::Overloaded, message));
    }
    tracing::info!("a subscription to an Amazon topic is confirmed");
    Ok(())
}

async fn fetch(mail: &Mail, url: Url) -> Result<Vec<u8>, String> {
    match &mail.amazon.fetch {
        Fetch::Internet => mail.couriers.fetch(url, PATIENCE, LARGEST_ANSWER).await,
        Fetch::Instead(fetch) => fetch(url).await,
    }
}
