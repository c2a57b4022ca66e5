//! The service that the demo talks to.

use std::{fmt, str::FromStr, time::Duration};

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::traffic::Event;

/// How often the same is tried while the service has too much to do.
const TRIES: u32 = 12;
/// The longest that is waited between two tries, whatever the service asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);

/// A secret key in the clear; never shown.
#[derive(Clone)]
pub struct Key(String);

impl FromStr for Key {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Key, &'static str> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.starts_with("sk_") && plain {
            Ok(Key(text.to_owned()))
        } else {
            Err("the demo needs a secret key, which begins with sk_")
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A running service, and a key to it.
#[derive(Debug, Clone)]
pub(super) struct Service {
    client: Client,
    url: String,
    key: Key,
}

/// What became of events that were sent.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Answer {
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: Vec<Refused>,
}

/// An event that was not taken.
#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    pub(super) code: String,
    pub(super) detail: String,
}

/// A lead, as far as the demo shows it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Lead {
    pub(super) id: String,
    pub(super) email: Option<String>,
    pub(super) score: i64,
    pub(super) grade: String,
    pub(super) band: String,
    pub(super) profile: Map<String, Value>,
    pub(super) last_activity_at: Option<DateTime<Utc>>,
}

/// What a score is made of, as far as the demo shows it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Receipt {
    pub(super) lines: Vec<Line>,
}

/// One part of a score.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) dimension: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) points: i64,
}

#[derive(Deserialize)]
struct Scored {
    receipt: Receipt,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Lead>,
}

#[derive(Deserialize)]
struct Problem {
    message: String,
}

impl Service {
    /// The service at an address. Nothing is sent yet.
    pub(super) fn new(url: &str, key: Key) -> anyhow::Result<Service> {
        let url = url.trim_end_matches('/').to_owned();
        let parsed = Url::parse(&url).ok().filter(|parsed| ["http", "https"].contains(&parsed.scheme()));
        let parsed =
            parsed.with_context(|| format!("`{url}` is no address such as http://127.0.0.1:8080"))?;
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .user_agent("leadscore-demo");
        // Refused where another part of the process has chosen a provider; then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        if parsed.scheme() == "http" {
            // Without TLS there is nobody to trust: a machine without certificates will do.
            builder = builder.tls_certs_only([]);
        }
        if parsed.host_str().is_some_and(is_this_machine) {
            builder = builder.no_proxy();
        }
        Ok(Service { client: builder.build().context("cannot make a client")?, url, key })
    }

    /// The address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Sends events, again and again while the service has too much to do.
    pub(super) async fn send(&self, events: &[Event]) -> anyhow::Result<Answer> {
        let body = serde_json::to_vec(events)?;
        let request = || {
            let request = self.client.post(format!("{}/v1/events", self.url));
            request.header(header::CONTENT_TYPE, "application/json").body(body.clone())
        };
        read(self.ask(request).await?).await
    }

    /// The first leads of the queue `sales`.
    pub(super) async fn queue(&self, limit: u16) -> anyhow::Result<Vec<Lead>> {
        let url = format!("{}/v1/queues/sales/leads?limit={limit}", self.url);
        Ok(read::<Page>(self.ask(|| self.client.get(&url)).await?).await?.data)
    }

    /// What a lead's score is made of.
    pub(super) async fn receipt(&self, lead: &Lead) -> anyhow::Result<Receipt> {
        let url = format!("{}/v1/leads/{}/score", self.url, lead.id);
        Ok(read::<Scored>(self.ask(|| self.client.get(&url)).await?).await?.receipt)
    }

    /// The lead with an e-mail address, if there is one.
    pub(super) async fn find(&self, email: &str) -> anyhow::Result<Option<Lead>> {
        let url = format!("{}/v1/leads?limit=1&email={email}", self.url);
        Ok(read::<Page>(self.ask(|| self.client.get(&url)).await?).await?.data.pop())
    }

    /// Asks until there is an answer that is worth reading.
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> anyhow::Result<Response> {
        let mut tries = 1;
        loop {
            let sent = request().bearer_auth(&self.key.0).send().await;
            let response = sent.map_err(|error| self.unreachable(error))?;
            let status = response.status();
            let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
            if !busy && status.is_success() {
                return Ok(response);
            }
            if !busy || tries == TRIES {
                return Err(self.refused(response, tries).await);
            }
            tokio::time::sleep(wait(&response, tries)).await;
            tries += 1;
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> anyhow::Error {
        let url = &self.url;
        if error.is_connect() {
            let hint =
                format!("nothing answers at {url}; start it with `leadscore serve`, or name it with --url");
            return anyhow!(error.without_url()).context(hint);
        }
        anyhow!(error.without_url()).context(format!("{url} did not answer"))
    }

    async fn refused(&self, response: Response, tries: u32) -> anyhow::Error {
        let (url, status) = (&self.url, response.status());
        let said = match response.json::<Problem>().await {
            Ok(problem) => problem.message,
            Err(_) => format!("answered {status}; is that a Leadscore?"),
        };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => anyhow!(
                "{url} does not take this key: {said} The demo sends events and reads the queue, for which it needs an \
                 admin key (sk_…) of that service; `leadscore serve` showed one at its first start"
            ),
            _ if tries == TRIES => anyhow!("{url} still had too much to do after {TRIES} tries: {said}"),
            _ => anyhow!("{url}: {said} ({status})"),
        }
    }
}

async fn read<T: serde::de::DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    match response.json().await {
        Ok(answer) => Ok(answer),
        Err(error) => {
            bail!("the answer cannot be read; is that a Leadscore of this version? ({})", error.without_url())
        }
    }
}

/// How long to wait: as long as the service asks for, else longer each time.
fn wait(response: &Response, tries: u32) -> Duration {
    let asked =
        response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let wait = asked.map_or(Duration::from_millis(250 << tries.min(7)), Duration::from_secs);
    wait.min(LONGEST_WAIT)
}

/// Whether a host is the machine itself, to which no proxy leads.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;

    const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
    const DONE: &str =
        "HTTP/1.1 200 OK\r\ncontent-length: 46\r\n\r\n{\"accepted\": 3, \"duplicates\":1, \"rejected\":[]}";
    const STRANGER: &str =
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 24\r\n\r\n{\"message\":\"Send a key\"}";

    /// A service that gives these answers, one after the other, and tells how many it gave.
    async fn answering(answers: Vec<&'static str>) -> (Service, JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let given = tokio::spawn(async move {
            for answer in &answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                let answer = answer.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            answers.len()
        });
        (Service::new(&url, "sk_test".parse().unwrap()).unwrap(), given)
    }

    #[tokio::test]
    async fn a_busy_service_is_asked_again() {
        let (service, given) = answering(vec![BUSY, BUSY, DONE]).await;
        let answer = service.send(&[]).await.unwrap();
        assert_eq!((answer.accepted, answer.duplicates, given.await.unwrap()), (3, 1, 3));
    }

    #[tokio::test]
    async fn a_service_that_stays_busy_is_left_alone_in_the_end() {
        let (service, given) = answering(vec![BUSY; TRIES as usize]).await;
        let error = service.send(&[]).await.unwrap_err().to_string();
        assert!(error.contains("still had too much to do"), "{error}");
        assert_eq!(given.await.unwrap(), TRIES as usize);
    }

    #[tokio::test]
    async fn a_key_that_is_not_known_is_told_from_other_failures() {
        let (service, _) = answering(vec![STRANGER]).await;
        let error = service.send(&[]).await.unwrap_err().to_string();
        assert!(error.contains("Send a key") && error.contains("admin key (sk_…)"), "{error}");
    }

    #[tokio::test]
    async fn where_nothing_answers_it_is_said_how_to_start_a_service() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let service = Service::new(&format!("http://{free}"), "sk_test".parse().unwrap()).unwrap();
        let error = service.send(&[]).await.unwrap_err().to_string();
        assert!(error.contains("leadscore serve"), "{error}");
    }

    #[test]
    fn a_key_is_a_secret_key_and_is_never_shown() {
        assert!("wk_test".parse::<Key>().is_err());
        assert_eq!(format!("{:?}", "sk_test".parse::<Key>()), "Ok(Key(…))");
    }

    #[test]
    fn both_kinds_of_addresses_are_taken_and_no_others() {
        let service = |url: &str| Service::new(url, "sk_test".parse().unwrap());
        assert!(service("http://localhost:8080").is_ok() && service("https://leads.example").is_ok());
        assert!(service("localhost:8080").is_err() && service("ftp://leads.example").is_err());
    }
}
