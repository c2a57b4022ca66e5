//! Sends webhooks: one request at a time, and a bounded number of requests at once.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, Response, StatusCode, Url, dns::Resolve, header, redirect, retry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    address::{Guard, System},
    schedule,
    signature::{self, Secret},
};
use crate::platform::ids::{ChangeId, EndpointId};

/// How many deliveries to one endpoint are under way at once. An endpoint whose last delivery failed gets one at a
/// time.
const MOST_OF_AN_ENDPOINT: usize = 8;
/// How many deliveries of this process are under way at once.
const MOST: usize = 256;
/// How long connecting may take, with the look-up of the name.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next delivery.
const IDLE: Duration = Duration::from_secs(30);
/// How long to wait for an answer when the service stops.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// How many bytes of an answer are kept.
const KEPT_OF_ANSWER: usize = 1_024;

/// Sends the deliveries of this process.
#[derive(Debug)]
pub struct Couriers {
    settings: Arc<Settings>,
    client: OnceLock<Client>,
    /// How many couriers each endpoint has. Endpoints without couriers are left out.
    under_way: watch::Sender<HashMap<EndpointId, usize>>,
}

/// The right to be one of an endpoint's couriers. Dropping it gives the right back.
#[derive(Debug)]
pub(super) struct Turn {
    couriers: Arc<Couriers>,
    pub(super) endpoint: EndpointId,
}

/// A message to send, with its receiver and the secrets that sign it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) url: String,
    pub(super) id: ChangeId,
    pub(super) body: String,
    pub(super) secrets: Vec<Secret>,
}

/// The result of one attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) at: DateTime<Utc>,
    pub(super) duration: Duration,
    /// The answer's HTTP status, or why there was no answer.
    pub(super) answer: Result<u16, String>,
    /// The beginning of the answer's body.
    pub(super) response: String,
    /// How long the receiver asks to wait (`Retry-After`).
    pub(super) retry_after: Option<TimeDelta>,
}

impl Attempt {
    /// Whether the receiver has the message. A redirect counts as a failure, because nobody vouches for its target.
    pub(super) fn succeeded(&self) -> bool {
        self.answer.as_ref().is_ok_and(|status| (200..300).contains(status))
    }

    /// Whether the receiver wants no more messages (410).
    pub(super) fn is_gone(&self) -> bool {
        self.answer == Ok(StatusCode::GONE.as_u16())
    }
}

impl Couriers {
    /// Makes the couriers of a process. None is under way yet.
    pub fn new(settings: Settings) -> Arc<Couriers> {
        Arc::new(Couriers {
            settings: Arc::new(settings),
            client: OnceLock::new(),
            under_way: watch::Sender::default(),
        })
    }

    /// Returns the operator's settings.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Waits until no courier is under way.
    pub async fn idle(&self) {
        // This struct owns the sender, so the channel cannot be closed.
        let _ = self.under_way.subscribe().wait_for(HashMap::is_empty).await;
    }

    /// Gives an endpoint one more courier, unless the endpoint or the process has as many as it may have.
    pub(super) fn turn(self: &Arc<Self>, endpoint: EndpointId, failing: bool) -> Option<Turn> {
        let given = self.under_way.send_if_modified(|under_way| {
            let of_endpoint = under_way.get(&endpoint).copied().unwrap_or_default();
            let free = of_endpoint < most(failing) && under_way.values().sum::<usize>() < MOST;
            if free {
                under_way.insert(endpoint, of_endpoint + 1);
            }
            free
        });
        given.then(|| Turn { couriers: Arc::clone(self), endpoint })
    }

    /// Sends a message once. `None` if the service stops and no answer arrives within two seconds.
    pub(super) async fn send_unless_stopped(
        &self,
        message: Message,
        at: DateTime<Utc>,
        stop: &CancellationToken,
    ) -> Option<Attempt> {
        tokio::select! {
            attempt = self.send(message, at) => Some(attempt),
            () = async { stop.cancelled().await; tokio::time::sleep(LAST_WAIT).await } => None,
        }
    }

    /// Sends a message once.
    pub(super) async fn send(&self, message: Message, at: DateTime<Utc>) -> Attempt {
        let began = Instant::now();
        let outcome = match self.request(message, at).await {
            Ok(response) => {
                let asked = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                let retry_after = asked.and_then(|asked| schedule::retry_after(asked, at));
                (Ok(response.status().as_u16()), beginning(response).await, retry_after)
            }
            Err(error) => (Err(error), String::new(), None),
        };
        let (answer, response, retry_after) = outcome;
        Attempt { at, duration: began.elapsed(), answer, response, retry_after }
    }

    /// Fetches a document of at most `most` bytes, from an address to which deliveries may be sent.
    ///
    /// # Errors
    /// A text that says why the document could not be fetched.
    pub async fn fetch(&self, url: Url, patience: Duration, most: usize) -> Result<Vec<u8>, String> {
        self.settings.reachable.check(&url)?;
        let client = self.client.get_or_init(|| client(&self.settings, System));
        let answer = client.get(url).timeout(patience).send().await;
        let mut answer = answer.map_err(|error| chain(&error.without_url()))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the answer is {}", answer.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| chain(&error.without_url()))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > most {
                return Err("the answer is too large".to_owned());
            }
        }
        Ok(bytes)
    }

    async fn request(&self, message: Message, at: DateTime<Utc>) -> Result<Response, String> {
        // The operator may have changed the allowed networks since the endpoint was made.
        let url = self.settings.reachable.parse(&message.url)?;
        let client = self.client.get_or_init(|| client(&self.settings, System));
        let mut request = client.post(url).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in signature::headers(message.id, at, &message.body, &message.secrets) {
            request = request.header(name, value);
        }
        request.body(message.body).send().await.map_err(|error| chain(&error.without_url()))
    }
}

impl Turn {
    /// Whether this courier may continue: the endpoint has no more couriers than it may have.
    pub(super) fn goes_on(&self, failing: bool) -> bool {
        self.couriers.under_way.borrow().get(&self.endpoint).is_some_and(|count| *count <= most(failing))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.couriers.under_way.send_modify(|under_way| {
            if let Some(count) = under_way.get_mut(&self.endpoint) {
                *count -= 1;
            }
            under_way.retain(|_, count| *count > 0);
        });
    }
}

fn most(failing: bool) -> usize {
    if failing { 1 } else { MOST_OF_AN_ENDPOINT }
}

/// Makes an HTTP client that reaches only allowed addresses and follows no redirect.
fn client(settings: &Settings, names: impl Resolve + 'static) -> Client {
    // This fails if another part of the process has chosen a provider. Then that provider is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let guard = Arc::new(Guard { names, reachable: Arc::clone(&settings.reachable) });
    let builder = || {
        Client::builder()
            .dns_resolver(Arc::clone(&guard))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("Leadscore/", env!("CARGO_PKG_VERSION")))
    };
    builder().build().unwrap_or_else(|error| {
        let error = chain(&error);
        tracing::error!(
            error,
            "this machine has no certificate authorities, so no https endpoint can be reached"
        );
        builder().tls_certs_only([]).build().expect("without authorities nothing is read that could be wrong")
    })
}

/// Returns the beginning of an answer's body, as text that the database can store.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= KEPT_OF_ANSWER {
            bytes.truncate(KEPT_OF_ANSWER);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}

/// Writes an error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        net::{IpAddr, SocketAddr},
        sync::Mutex,
    };

    use reqwest::dns::{Name, Resolving};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::feed::webhooks::address::Reachable;

    /// A name that stands for something else each time it is asked for.
    struct Fickle(Mutex<VecDeque<Vec<IpAddr>>>);

    impl Resolve for Fickle {
        fn resolve(&self, _: Name) -> Resolving {
            let answer = self.0.lock().unwrap().pop_front().unwrap_or_default();
            let addresses: Vec<SocketAddr> = answer.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Box::pin(async move { Ok(Box::new(addresses.into_iter()) as reqwest::dns::Addrs) })
        }
    }

    /// A server at every address of this machine that says at which one it was reached.
    async fn server() -> u16 {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        #[expect(clippy::disallowed_methods, reason = "a test's server ends with the test")]
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let reached = stream.local_addr().unwrap().ip().to_string();
                let _ = stream.read(&mut [0; 4_096]).await.unwrap();
                let length = reached.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{reached}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        port
    }

    #[tokio::test]
    async fn a_name_that_changes_its_mind_reaches_nothing_that_may_not_be_reached() {
        let port = server().await;
        let [allowed, inside]: [IpAddr; 2] = ["127.0.0.2", "127.0.0.1"].map(|ip| ip.parse().unwrap());
        // This one stands for the public internet here.
        let reachable = Arc::new(Reachable { allowed: vec![allowed.into()] });
        let settings = Settings { reachable, ..Settings::default() };
        let answers = VecDeque::from([vec![allowed], vec![inside], vec![inside, allowed], vec![]]);
        let client = client(&settings, Fickle(Mutex::new(answers)));
        let ask = async || {
            let response = client.get(format!("http://fickle.example:{port}/")).send().await;
            match response {
                Ok(response) => Ok(response.text().await.unwrap()),
                Err(error) => Err(chain(&error)),
            }
        };

        assert_eq!(ask().await.unwrap(), "127.0.0.2");
        let refused = ask().await.unwrap_err();
        assert!(refused.contains("fickle.example points to no public address"), "{refused}");
        assert_eq!(ask().await.unwrap(), "127.0.0.2", "of several, those that may be reached");
        assert!(ask().await.is_err());
    }

    #[test]
    fn an_endpoint_has_few_couriers_and_one_while_it_fails() {
        let couriers = Couriers::new(Settings::default());
        let (one, other) = (EndpointId(uuid::Uuid::from_u128(1)), EndpointId(uuid::Uuid::from_u128(2)));

        let mut turns: Vec<Turn> = std::iter::from_fn(|| couriers.turn(one, false)).collect();

        assert_eq!(turns.len(), MOST_OF_AN_ENDPOINT);
        assert!(turns[0].goes_on(false) && !turns[0].goes_on(true));
        let alone = couriers.turn(other, true).unwrap();
        assert!(alone.goes_on(true) && couriers.turn(other, true).is_none());
        turns.pop();
        assert!(couriers.turn(one, false).is_some(), "a place that is given back is free");
    }
}
