//! Calls of the HTTP API.

use std::time::Duration;

use anyhow::{Context, anyhow};
use backon::{ExponentialBuilder, Retryable};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Usage, connection::Key, problem};

/// How long the first wait is between two tries. Each wait is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest that is waited between two tries, whatever the service asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A preview of a large database takes long.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);

/// A running service, and a key of it.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    server: String,
    key: Key,
    tries: usize,
}

/// Why a try brought no answer.
struct Failed {
    error: anyhow::Error,
    /// Whether the service has too much to do. It has then done nothing of the call.
    busy: bool,
    /// How long the service asks to be left alone.
    asked: Option<Duration>,
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Failed {
        Failed { error, busy: false, asked: None }
    }
}

/// The body of an answer of the API.
#[derive(Debug)]
pub struct Answer(String);

/// What a call brings.
#[derive(Debug, Clone)]
pub enum Body {
    /// JSON.
    Json(String),
    /// A document in YAML, or in JSON, which is a part of YAML.
    Yaml(String),
}

impl Body {
    /// The JSON of a value.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as JSON.
    pub fn json(value: &impl Serialize) -> anyhow::Result<Body> {
        Ok(Body::Json(serde_json::to_string(value)?))
    }
}

impl Answer {
    /// The answer as the service sent it.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.trim_end()
    }

    /// What this program needs of the answer.
    ///
    /// # Errors
    ///
    /// If the answer is not what this version of the program knows.
    pub fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_str(&self.0).map_err(|error| {
            anyhow!("the answer cannot be read; is that a Leadscore of this version? ({error})")
        })
    }
}

impl Client {
    /// A client of the service at an address. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`Usage`] if the address is none; others if this machine cannot make a client.
    pub fn new(server: &str, key: Key, tries: usize) -> anyhow::Result<Client> {
        let server = server.trim_end_matches('/').to_owned();
        let parsed = Url::parse(&server).ok().filter(|parsed| ["http", "https"].contains(&parsed.scheme()));
        let parsed = parsed
            .ok_or_else(|| Usage::error(format!("`{server}` is no address such as http://127.0.0.1:8080")))?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .user_agent(concat!("leadscore/", env!("CARGO_PKG_VERSION")));
        // Refused where another part of the process has chosen a provider; then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        if parsed.scheme() == "http" {
            // Without TLS no certificate is looked at: a machine without certificates will do.
            builder = builder.tls_certs_only([]);
        }
        if parsed.host_str().is_some_and(is_this_machine) {
            builder = builder.no_proxy();
        }
        Ok(Client { http: builder.build().context("cannot make a client")?, server, key, tries })
    }

    /// The address of the service.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Reads.
    ///
    /// # Errors
    ///
    /// If nothing answers, or the service refuses: then with what it says.
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Answer> {
        let found = self.find(path, query).await?;
        found.ok_or_else(|| anyhow!("{} answered without a body; is that a Leadscore?", self.server))
    }

    /// Reads what may not be there: `None` where the service answers that there is nothing.
    ///
    /// # Errors
    ///
    /// As [`Client::get`], 404 excepted.
    pub async fn get_if_any(&self, path: &str) -> anyhow::Result<Option<Answer>> {
        match self.find(path, &[]).await {
            Err(error) if problem::is_not_found(&error) => Ok(None),
            found => found,
        }
    }

    async fn find(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Option<Answer>> {
        self.ask(|| self.request(Method::GET, path).query(query)).await
    }

    /// Writes; the answer, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub async fn post(&self, path: &str, body: Option<&Body>) -> anyhow::Result<Option<Answer>> {
        self.ask(|| with_body(self.request(Method::POST, path), body)).await
    }

    /// Writes what may be repeated under this key and is done once.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub async fn post_once(&self, path: &str, body: &Body, once: &str) -> anyhow::Result<Option<Answer>> {
        let request = || self.request(Method::POST, path).header("idempotency-key", once);
        self.ask(|| with_body(request(), Some(body))).await
    }

    /// Deletes.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.ask(|| self.request(Method::DELETE, path)).await.map(|_| ())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.server)).bearer_auth(self.key.secret())
    }

    /// Asks until there is an answer. Waits between two tries as long as the service asks for, else longer each time.
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> anyhow::Result<Option<Answer>> {
        let waits = ExponentialBuilder::new().with_min_delay(FIRST_WAIT).with_max_times(self.tries - 1);
        let answer = (|| self.ask_once(request()))
            .retry(waits)
            .when(|failed| failed.busy)
            .adjust(|failed, planned| Some(failed.asked.unwrap_or(planned?).min(LONGEST_WAIT)))
            .await;
        answer.map_err(|failed| failed.error)
    }

    async fn ask_once(&self, request: RequestBuilder) -> Result<Option<Answer>, Failed> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status.is_success() {
            let text = response.text().await.map_err(|error| self.unreachable(error))?;
            return Ok(Some(Answer(text)).filter(|answer| !answer.0.is_empty()));
        }
        let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        let asked = retry_after(&response);
        let text = response.text().await.unwrap_or_default();
        Err(Failed { error: problem::refused(&self.server, status, &text), busy, asked })
    }

    fn unreachable(&self, error: reqwest::Error) -> anyhow::Error {
        let server = &self.server;
        if error.is_connect() {
            let hint = format!(
                "nothing answers at {server}. Start the service with `leadscore serve`, or name another by --server or \
                 LEADSCORE_URL"
            );
            return anyhow!(error.without_url()).context(hint);
        }
        anyhow!(error.without_url()).context(format!("{server} did not answer"))
    }
}

fn with_body(request: RequestBuilder, body: Option<&Body>) -> RequestBuilder {
    match body {
        None => request,
        Some(Body::Json(text)) => request.header(header::CONTENT_TYPE, "application/json").body(text.clone()),
        Some(Body::Yaml(text)) => request.header(header::CONTENT_TYPE, "application/yaml").body(text.clone()),
    }
}

/// How long the service asks to be left alone.
fn retry_after(response: &Response) -> Option<Duration> {
    let asked = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    asked.parse().ok().map(Duration::from_secs)
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
    const DONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n[3]\n";
    const TRIES: usize = 4;

    fn client(server: &str) -> anyhow::Result<Client> {
        Client::new(server, "sk_test".parse().map_err(anyhow::Error::msg)?, TRIES)
    }

    /// A service that gives these answers, one after the other, and tells how many it gave.
    async fn answering(answers: Vec<&'static str>) -> (Client, JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}/", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "a test's server ends with the test")]
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
        (client(&server).unwrap(), given)
    }

    #[tokio::test]
    async fn a_busy_service_is_asked_again() {
        let (client, given) = answering(vec![BUSY, BUSY, DONE]).await;
        let answer = client.get("/", &[]).await.unwrap();
        assert_eq!((answer.text(), given.await.unwrap()), ("[3]", 3));
    }

    #[tokio::test]
    async fn a_service_that_stays_busy_is_left_alone_in_the_end() {
        let (client, given) = answering(vec![BUSY; TRIES]).await;
        let error = client.get("/", &[]).await.unwrap_err().to_string();
        assert!(error.contains("503"), "{error}");
        assert_eq!(given.await.unwrap(), TRIES);
    }

    #[test]
    fn both_kinds_of_addresses_are_taken_and_no_others() {
        assert!(client("http://localhost:8080").is_ok() && client("https://leads.example").is_ok());
        let error = client("localhost:8080").unwrap_err();
        assert!(error.is::<Usage>() && client("ftp://leads.example").is_err(), "{error}");
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", "sk_test".parse::<Key>()), "Ok(Key(…))");
    }
}
