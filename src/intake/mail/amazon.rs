//! Requests to Amazon: fetching the certificates that verify its messages, and confirming subscriptions.

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

/// How many certificates the cache holds.
const MOST_CERTIFICATES: usize = 32;
/// How large a certificate may be, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024;
/// How long a request to Amazon may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A fetched document, or why it cannot be fetched.
pub type Fetched = BoxFuture<'static, Result<Vec<u8>, String>>;

/// How documents of Amazon are fetched.
#[derive(Clone, Default)]
pub enum Fetch {
    /// By the service itself, in the same way as it sends webhooks.
    #[default]
    Internet,
    /// By a function, in tests.
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

/// A cache of Amazon's certificates by their URLs, and the way to fetch others.
#[derive(Debug)]
pub struct Amazon {
    fetch: Fetch,
    certificates: Mutex<HashMap<Url, CertificateDer<'static>>>,
}

impl Amazon {
    /// Makes an empty cache.
    pub fn new(fetch: Fetch) -> Amazon {
        Amazon { fetch, certificates: Mutex::default() }
    }

    /// The certificate of this URL, if it is in the cache.
    fn known(&self, url: &Url) -> Option<CertificateDer<'static>> {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
    }

    /// Puts a certificate into the cache.
    fn remember(&self, url: Url, certificate: CertificateDer<'static>) {
        let mut known = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_CERTIFICATES {
            known.clear();
        }
        known.insert(url, certificate);
    }
}

/// Verifies and parses a message of Amazon SNS. Confirms the subscription if the message asks for that.
///
/// # Errors
/// A refusal if the message is not from one of these topics or its signature is wrong. An overload if Amazon
/// cannot be reached.
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

/// Returns the certificate of a URL, from the cache or from Amazon.
async fn certificate(mail: &Mail, url: Url) -> Result<CertificateDer<'static>, Problem> {
    if let Some(known) = mail.amazon.known(&url) {
        return Ok(known);
    }
    let away = |error: &str| {
        tracing::warn!(error, "cannot fetch Amazon's certificate");
        let message = "Amazon's certificate cannot be fetched now. Try again, or add it to the mail source.";
        Problem::new(Code::Overloaded, message)
    };
    let pem = fetch(mail, url.clone()).await.map_err(|error| away(&error))?;
    let certificate = ses::certificate(&pem).ok_or_else(|| away("the document is not a certificate"))?;
    mail.amazon.remember(url, certificate.clone());
    Ok(certificate)
}

/// Confirms a subscription. The message was verified and its topic is one of the source's. If this fails,
/// Amazon asks again.
async fn confirm(mail: &Mail, url: Url) -> Result<(), Problem> {
    if let Err(error) = fetch(mail, url.clone()).await {
        let url = url.as_str();
        tracing::warn!(
            error,
            url,
            "cannot confirm a subscription to an Amazon topic; open the URL to confirm it"
        );
        let message = "The subscription cannot be confirmed now. Try again, or open its SubscribeURL.";
        return Err(Problem::new(Code::Overloaded, message));
    }
    tracing::info!("confirmed a subscription to an Amazon topic");
    Ok(())
}

/// Fetches a document of Amazon.
async fn fetch(mail: &Mail, url: Url) -> Result<Vec<u8>, String> {
    match &mail.amazon.fetch {
        Fetch::Internet => mail.couriers.fetch(url, PATIENCE, LARGEST_ANSWER).await,
        Fetch::Instead(fetch) => fetch(url).await,
    }
}
