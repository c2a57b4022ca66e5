//! The requests that are most work of their kind, as large as each may be: what an unkind client would send.

mod pulse;

use std::fmt::Write as _;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderName, Method, Request},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::BodyExt;
use leadscore::{http::body::LARGEST_BODY, models::document, platform::ids::digest};
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt;

pub(crate) use pulse::Pulse;

/// May do everything.
pub(crate) const ADMIN: &str = "sk_test_0123456789abcdefghij";
/// How large an event may be, in bytes, with room for what surrounds it.
const EVENT: usize = 64 * 1024 - 512;
/// How large a body may be that is read on the spot, in bytes.
const SMALL: usize = 32 * 1024;
/// How large the JSON of an ordinary call may be, in bytes.
const DOCUMENT: usize = 256 * 1024 - 64;
/// How much a query may hold, in bytes: heads are bounded.
const QUERY: usize = 60 * 1024;
/// How large what a provider of one event a request sends may be, in bytes.
const HOOK: usize = 1024 * 1024 - 512;
/// The key by which Mailgun and Resend sign.
const SIGNING: &[u8] = b"0123456789abcdefghijklmnopqrstuv";

/// A request that is much work.
#[derive(Clone)]
pub(crate) struct Worst {
    /// What is special about it.
    pub(crate) name: &'static str,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Worst {
    fn post(name: &'static str, path: &str, body: impl Into<Bytes>) -> Worst {
        let (path, body) = (path.to_owned(), body.into());
        Worst { name, method: Method::POST, path, headers: Vec::new(), body }
            .with("content-type", "application/json")
    }

    fn get(name: &'static str, path: impl Into<String>) -> Worst {
        let (path, body) = (path.into(), Bytes::new());
        Worst { name, method: Method::GET, path, headers: Vec::new(), body }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Worst {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    fn by(self, method: Method) -> Worst {
        Worst { method, ..self }
    }

    /// How many bytes it sends, head and body.
    pub(crate) fn size(&self) -> usize {
        self.path.len() + self.body.len() + self.headers.iter().map(|(_, value)| value.len()).sum::<usize>()
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        request = request.header("authorization", format!("Bearer {ADMIN}"));
        for (name, value) in &self.headers {
            request = request.header(HeaderName::from_static(name), value);
        }
        request.body(Body::from(self.body.clone())).expect("a request")
    }

    /// Sends it, and takes the answer in: status and body.
    pub(crate) async fn send(&self, router: &Router) -> (u16, Bytes) {
        let answer = router.clone().oneshot(self.request()).await.expect("the router fails at nothing");
        let (status, body) = (answer.status().as_u16(), answer.into_body());
        (status, body.collect().await.expect("a body").to_bytes())
    }
}

/// What the requests ask after, and what it is to be set up by.
pub(crate) struct Ground {
    lead: String,
    model: String,
    hooks: Vec<(&'static str, String)>,
}

impl Ground {
    /// Makes a lead with so many events, so many leads with many attributes, and a source of each provider of e-mail.
    pub(crate) async fn prepare(router: &Router, events: usize, leads: usize) -> Ground {
        let many = array(events, |n| {
            let path = format!("/blog/{}", n % 50);
            json!({"id": format!("k{n}"), "type": "page_viewed", "lead": {"user_id": "known"},
                "occurred_at": format!("2026-01-{:02}T{:02}:00:00Z", 1 + n % 28, n % 24), "properties": {"path": path}})
            .to_string()
        });
        accepted(router, many).await;
        for first in (0..leads).step_by(100) {
            let part = array(100.min(leads - first), |n| {
                let traits = json!({"name": "Jane", "notes": "ab ".repeat(8_000), "many": vec![0; 8_000]});
                json!({"type": "identify", "lead": {"user_id": format!("wide{}", first + n)}, "traits": traits})
                    .to_string()
            });
            accepted(router, part).await;
        }
        let found = read(router, "/v1/leads/by/external_id/known").await;
        let models = read(router, "/v1/models").await;
        let mut hooks = Vec::new();
        for (provider, mut source) in sources() {
            source["provider"] = json!(provider);
            source["name"] = json!("a source");
            let (status, made) =
                Worst::post("a source", "/v1/mail-sources", source.to_string()).send(router).await;
            assert_eq!(status, 201, "{provider}: {}", String::from_utf8_lossy(&made));
            let made: Value = serde_json::from_slice(&made).expect("JSON");
            let url = made["url"].as_str().expect("a URL");
            hooks.push((provider, url[url.find("/v1/").expect("a path")..].to_owned()));
        }
        let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
        Ground { lead: id(&found), model: id(&models["data"][0]), hooks }
    }

    fn hook(&self, provider: &str) -> &str {
        self.hooks.iter().find(|(known, _)| *known == provider).map(|(_, path)| path).expect("it was made")
    }

    /// The requests, the heaviest of each kind. What is signed is signed at an instant.
    pub(crate) fn requests(&self, now: DateTime<Utc>) -> Vec<Worst> {
        [events(), tracking(), self.mail(now), documents(), models(), self.scores(), self.queries()].concat()
    }

    fn mail(&self, now: DateTime<Utc>) -> Vec<Worst> {
        let click =
            r#"{"event":"click","email":"a@b.example","timestamp":1767225600,"url":"https://acme.example/"}"#;
        let sendgrid = filled("[", |_| click.to_owned(), "]", LARGEST_BODY);
        let brevo = array(9_000, |n| {
            let agent = format!("Mozilla/5.0 {}", "a".repeat(1_000));
            format!(
                r#"{{"event":"opened","email":"a{n}@b.example","ts_epoch":1767225600000,"user_agent":"{agent}"}}"#
            )
        });
        let other = filled("", |n| format!(r#""k{n}":0"#), "", HOOK - 512);
        let postmark = format!(
            r#"{{"RecordType":"Open","Recipient":"a@b.example","ReceivedAt":"2026-01-01T00:00:00Z",{other}}}"#
        );
        let mailgun = format!(
            r#"{{"signature":{{"timestamp":"1","token":"2","signature":"{}"}},"event-data":{{"event":"opened",
            "recipient":"a@b.example","timestamp":1767225600,{other}}}}}"#,
            hex::encode(signed(b"12"))
        );
        let fields = filled("", |n| format!("k{n}="), "", HOOK).replace(',', "&");
        let resend = format!(r#"{{"type":"email.opened","data":{{"to":["a@b.example"],{other}}}}}"#);
        let at = now.timestamp();
        let by = STANDARD.encode(signed(format!("m.{at}.{resend}").as_bytes()));
        let message = json!({"Type": "Notification", "MessageId": "1", "TopicArn": TOPIC, "Message": "a\"".repeat(HOOK / 4),
            "Timestamp": "2026-01-01T00:00:00Z", "SignatureVersion": "2", "Signature": "AAAA",
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/a.pem"});
        vec![
            Worst::post("SendGrid: not signed by it", self.hook("sendgrid"), sendgrid)
                .with("x-twilio-email-event-webhook-timestamp", "1767225600")
                .with("x-twilio-email-event-webhook-signature", STANDARD.encode([7; 70])),
            Worst::post("Brevo: 9 000 opens with user agents", self.hook("brevo"), brevo),
            Worst::post("Postmark: many fields", self.hook("postmark"), postmark),
            Worst::post("Mailgun: many fields", self.hook("mailgun"), mailgun),
            Worst::post("Mailgun: many fields of a form", self.hook("mailgun"), fields),
            Worst::post("Resend: many fields", self.hook("resend"), resend)
                .with("svix-id", "m")
                .with("svix-timestamp", at.to_string())
                .with("svix-signature", format!("v1,{by}")),
            Worst::post("Amazon SES: not signed by it", self.hook("ses"), message.to_string()),
        ]
    }

    fn scores(&self) -> Vec<Worst> {
        let (lead, model) = (&self.lead, &self.model);
        let supposed = array(1_000, |n| {
            let event =
                json!({"id": format!("s{n}"), "type": "page_viewed", "properties": {"many": vec![0; 4_900]}});
            event.to_string()
        });
        let evaluated = filled(
            &format!(r#"{{"model":"{model}","events":["#),
            |n| {
                format!(
                    r#"{{"id":"e{n}","type":"page_viewed","occurred_at":"2026-01-01T00:00:00Z","properties":{{"a":0}}}}"#
                )
            },
            "]}",
            LARGEST_BODY,
        );
        vec![
            Worst::post("evaluate: 90 000 events", "/v1/models/evaluate", evaluated),
            Worst::post(
                "what-if: 1 000 events",
                &format!("/v1/leads/{lead}/score/what-if"),
                format!(r#"{{"events":{supposed}}}"#),
            ),
            Worst::get("receipt of a long log", format!("/v1/leads/{lead}/score")),
            Worst::get("series of a long log", format!("/v1/leads/{lead}/score/series?step=2h")),
            Worst::post("preview of all leads", &format!("/v1/models/{model}/preview"), "{}"),
            Worst::get("compare of all leads", format!("/v1/models/compare?b={model}")),
        ]
    }

    fn queries(&self) -> Vec<Worst> {
        let words = filled("", |n| format!("w{n}"), "", QUERY).replace(',', "+");
        let puny = format!("xn--{}", "a".repeat(QUERY));
        let names = filled("", |n| format!("n{n}"), "", QUERY).replace(',', "&");
        let repeated = filled("", |_| "band=a".to_owned(), "", QUERY).replace(',', "&");
        let values = filled("", |_| "a".to_owned(), "", QUERY);
        vec![
            Worst::get("q: 10 000 words", format!("/v1/leads?q={words}")),
            Worst::get("q: a domain in Punycode", format!("/v1/leads?q={puny}")),
            Worst::get("query: 10 000 parameters", format!("/v1/leads?{names}")),
            Worst::get("query: a parameter 8 000 times", format!("/v1/leads?{repeated}")),
            Worst::get("query: 30 000 values of a filter", format!("/v1/leads?band={values}")),
            Worst::get(
                "query: a cursor",
                format!("/v1/leads?cursor={}", STANDARD.encode(vec![b'['; QUERY / 2])),
            ),
            Worst::get("path: a long address", format!("/v1/leads/by/email/{}@b.example", "a".repeat(QUERY))),
            Worst::get("user agent of 60 KiB", "/v1/leads").with("user-agent", "a".repeat(QUERY)),
            Worst::get("list: 500 leads with many attributes", "/v1/leads?limit=500"),
            Worst::get("list: 500 events", format!("/v1/leads/{}/timeline?limit=500", self.lead)),
        ]
    }
}

const TOPIC: &str = "arn:aws:sns:us-east-1:1:a";

fn sources() -> [(&'static str, Value); 6] {
    let recorded = |provider: &str, field: &str| {
        let path = format!("{}/tests/api/captures/email/{provider}.json", env!("CARGO_MANIFEST_DIR"));
        let all: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
        all[field].clone()
    };
    [
        ("sendgrid", json!({"public_key": recorded("sendgrid", "verification_key_base64_der")})),
        ("mailgun", json!({"signing_key": std::str::from_utf8(SIGNING).expect("text")})),
        ("postmark", json!({})),
        ("ses", json!({"topic_arns": [TOPIC], "certificates": [recorded("amazon_ses_sns", "cert_pem")]})),
        ("resend", json!({"secret": format!("whsec_{}", STANDARD.encode(SIGNING))})),
        ("brevo", json!({})),
    ]
}

fn signed(message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING).expect("a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

async fn accepted(router: &Router, events: String) {
    let (status, body) = Worst::post("events", "/v1/events", events).send(router).await;
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((status, &answer["rejected"]), (200, &json!([])), "{answer}");
}

async fn read(router: &Router, path: &str) -> Value {
    let (status, body) = Worst::get("a thing", path).send(router).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("JSON")
}

/// Items in an array, so many.
fn array(items: usize, item: impl Fn(usize) -> String) -> String {
    let items: Vec<String> = (0..items).map(item).collect();
    format!("[{}]", items.join(","))
}

/// Items with commas between, up to so many bytes.
fn filled(open: &str, item: impl Fn(usize) -> String, close: &str, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    text.push_str(open);
    let mut number = 0;
    loop {
        let next = item(number);
        if text.len() + next.len() + 1 + close.len() > bytes {
            break;
        }
        if number > 0 {
            text.push(',');
        }
        text.push_str(&next);
        number += 1;
    }
    text.push_str(close);
    text
}

/// Events with these properties, as many as a body may have bytes.
fn of_properties(properties: &str, bytes: usize) -> String {
    let event = |n: usize| {
        let user = n % 100;
        format!(
            r#"{{"type":"page_viewed","lead":{{"user_id":"w{user}"}},"properties":{{{properties}}},"context":{{"n":{n}}}}}"#
        )
    };
    filled("[", event, "]", bytes)
}

fn numbers(bytes: usize) -> String {
    filled(r#""a":["#, |_| "1e-300".to_owned(), "]", bytes)
}

fn zeros(bytes: usize) -> String {
    filled(r#""a":["#, |_| "0".to_owned(), "]", bytes)
}

fn keys(bytes: usize) -> String {
    filled("", |n| format!(r#""{n}":0"#), "", bytes)
}

fn escapes(bytes: usize) -> String {
    format!(r#""a":"{}""#, r"\u00e9".repeat(bytes / 6))
}

fn nested(bytes: usize) -> String {
    let deep = format!("{}{}", "[".repeat(29), "]".repeat(29));
    filled(r#""a":["#, |_| deep.clone(), "]", bytes)
}

fn agent(bytes: usize) -> String {
    let named = "Mozilla/5.0 (X11; Linux x86_64) ".repeat(bytes / 32);
    format!(r#""context":{{"user_agent":"{named}"}}"#)
}

fn agents(event: usize, bytes: usize) -> String {
    let agent = agent(event);
    filled("[", |_| format!(r#"{{"type":"page_viewed","lead":{{"user_id":"w1"}},{agent}}}"#), "]", bytes)
}

fn events() -> Vec<Worst> {
    let all =
        |name, properties: String| Worst::post(name, "/v1/events", of_properties(&properties, LARGEST_BODY));
    let one = |name, properties: String| {
        let whole = of_properties(&properties, SMALL);
        assert!(whole.len() > SMALL / 2, "{name} is not one event");
        Worst::post(name, "/v1/events", whole)
    };
    let identifies = array(8_000, |n| {
        let traits = json!({"name": "Łukasz Ó Briain", "company": {"name": "Ünïted Çompany", "domain": "xn--bcher-kva.example"},
            "phone": "+49 30 901820", "email": format!("jane{n}@bücher{}.example", n % 50)});
        json!({"type": "identify", "lead": {"user_id": format!("i{}", n % 500)}, "traits": traits})
            .to_string()
    });
    let names = filled(
        "[",
        |n| {
            let traits = json!({"name": "É\u{301} \u{fb01} xn--a".repeat(2_000), "company": format!("xn--{}", "a".repeat(20_000))});
            json!({"type": "identify", "lead": {"user_id": format!("n{n}")}, "traits": traits}).to_string()
        },
        "]",
        LARGEST_BODY,
    );
    let mistakes = format!("{{\"{}\":1}}\n", "x".repeat(1_000)).repeat(10_000);
    let packed = zstd::encode_all(of_properties(&zeros(1_000), LARGEST_BODY).as_bytes(), 3).expect("zstd");
    vec![
        all("events: 10 000 of numbers", zeros(1_000)),
        all("events: 10 000 of names", keys(1_000)),
        all("events: 64 KiB each of small numbers", zeros(EVENT)),
        all("events: 64 KiB each of exponents", numbers(EVENT)),
        all("events: 64 KiB each of names", keys(EVENT)),
        all("events: 64 KiB each of escapes", escapes(EVENT)),
        all("events: 64 KiB each of deep arrays", nested(EVENT)),
        Worst::post("events: 64 KiB each of user agent", "/v1/events", agents(EVENT, LARGEST_BODY)),
        Worst::post("events: 8 000 identifies", "/v1/events", identifies),
        Worst::post("events: names to be found by", "/v1/events", names),
        Worst::post("events: 10 000 mistakes, a line each", "/v1/events", mistakes)
            .with("content-type", "application/x-ndjson"),
        Worst::post(
            "events: too many, small ones",
            "/v1/events",
            filled("[", |_| "0".to_owned(), "]", LARGEST_BODY),
        ),
        Worst::post("events: 10 MiB in zstd", "/v1/events", packed).with("content-encoding", "zstd"),
        one("one event of 32 KiB: small numbers", zeros(SMALL - 200)),
        one("one event of 32 KiB: exponents", numbers(SMALL - 200)),
        one("one event of 32 KiB: names", keys(SMALL - 200)),
        one("one event of 32 KiB: deep arrays", nested(SMALL - 200)),
        Worst::post("one event of 32 KiB: user agent", "/v1/events", agents(SMALL - 200, SMALL)),
    ]
}

fn tracking() -> Vec<Worst> {
    let batch = |name, message: &dyn Fn(usize) -> String, context: &str| {
        let body = filled(&format!(r#"{{"context":{context},"batch":["#), message, "]}", LARGEST_BODY);
        Worst::post(name, "/v1/batch", body)
    };
    let track =
        |name: String, n: usize| format!(r#"{{"type":"track","userId":"w{}","event":"{name}"}}"#, n % 100);
    let digits = "9".repeat(500);
    let wide = format!("{{{}}}", keys(1_000));
    let url = format!("https://acme.example/{}?{}", "ä/".repeat(500), "utm_source=a&".repeat(EVENT / 16));
    let page = format!(r#"{{"type":"page","userId":"w1","properties":{{"url":"{url}"}}}}"#);
    let form = format!("data={}", "%7B".repeat(LARGEST_BODY / 3 - 10));
    let mut multipart = String::new();
    for n in 0..1_000 {
        let _ = write!(
            multipart,
            "--x\r\nContent-Disposition: form-data; name=\"k{n}\"\r\n\r\n{}\r\n",
            "a".repeat(10_000)
        );
    }
    multipart.push_str("--x--\r\n");
    let pixel =
        STANDARD.encode(format!(r#"{{"userId":"w1","event":"a","properties":{{{}}}}}"#, keys(QUERY / 2)));
    let plain = filled("", |n| format!("properties.{n}=0"), "", QUERY).replace(',', "&");
    let shared = format!(r#"{{"sentAt":"{}","batch":["#, "a".repeat(LARGEST_BODY / 2));
    let shared = filled(&shared, |n| track("a".repeat(500), n), "]}", LARGEST_BODY);
    vec![
        batch("batch: 10 000 tracks", &|n| track("Page Seen ".repeat(100), n), "null"),
        batch("batch: names of events of 64 KiB", &|n| track("ÄbC ".repeat(EVENT / 5), n), "null"),
        batch(
            "batch: ids that are numbers",
            &|n| {
                format!(
                    r#"{{"type":"page","userId":{n}.{digits},"messageId":1e{},"name":"{digits}"}}"#,
                    n % 600
                )
            },
            "null",
        ),
        batch("batch: a context for each of 9 000", &|n| track("a".repeat(1_060), n), &wide),
        Worst::post("batch: a long time of sending", "/v1/batch", shared),
        batch("batch: pages with addresses of 64 KiB", &|_| page.clone(), "null"),
        Worst::post("batch: a form", &format!("/v1/batch?writeKey={ADMIN}"), form)
            .with("content-type", "application/x-www-form-urlencoded"),
        Worst::post("batch: a form in parts", "/v1/batch", multipart)
            .with("content-type", "multipart/form-data; boundary=x"),
        Worst::get(
            "pixel: 30 KiB of names in base64",
            format!("/v1/pixel/track?writeKey={ADMIN}&data={pixel}"),
        ),
        Worst::get(
            "pixel: 3 000 parameters",
            format!("/pixel/v1/track?writeKey={ADMIN}&userId=w1&event=a&{plain}"),
        ),
    ]
}

fn models() -> Vec<Worst> {
    let yaml = filled("a: [", |_| "a".to_owned(), "]", 190_000);
    let blocks = "- a\n".repeat(document::MOST_VALUES - 10);
    let rules = filled(
        r#"{"name":"a","fit":{"groups":[{"name":"g","rules":["#,
        |n| format!(r#"{{"name":"r{n}","nonsense":1}}"#),
        "]}]}}",
        document::LARGEST,
    );
    let post = Worst::post;
    vec![
        post("model in YAML: a list on a line", "/v1/models/check", yaml)
            .with("content-type", "application/yaml"),
        post("model in YAML: a list of lines", "/v1/models/check", blocks)
            .with("content-type", "application/yaml"),
        post("model in JSON: 512 KiB of mistakes", "/v1/models/check", rules),
        post(
            "model in JSON: 512 KiB of numbers",
            "/v1/models/check",
            format!("{{{}}}", numbers(document::LARGEST - 2)),
        ),
    ]
}

fn documents() -> Vec<Worst> {
    let exclusions = |bytes: usize, domain: &str| {
        let line = |n: usize| format!(r#"{{"label":"other","domain":"{n}.{domain}"}}"#);
        filled(r#"{"exclusions":["#, line, "]}", bytes)
    };
    let within = filled(
        r#"{"filter":{"attributes":{"attribute":"a","in":["#,
        |n| format!(r#""{n}""#),
        "]}}}",
        DOCUMENT,
    );
    let links =
        array(200, |n| json!({"url": format!("https://acme.example/{n}{}", "a".repeat(1_200))}).to_string());
    let leads = array(1_000, |n| {
        json!({"user_id": format!("l{n}"), "traits": {"many": vec![0; 4_900], "name": "Jane"}}).to_string()
    });
    let evidence = filled(
        r#"{"framework":"bant","answers":{"#,
        |n| format!(r#""{n}":{{"answer":"yes"}}"#),
        "}}",
        DOCUMENT,
    );
    let domain = format!("{}.example", "bücher".repeat(8));
    let nobody = digest(&[b"nobody"]);
    let nobody = uuid::Uuid::from_slice(&nobody[..16]).expect("16 bytes");
    let post = Worst::post;
    vec![
        post("policy: 20 000 exclusions", "/v1/policy", exclusions(900_000, "a.example")).by(Method::PUT),
        post("policy: 10 MiB of exclusions", "/v1/policy", exclusions(LARGEST_BODY, &domain)).by(Method::PUT),
        post("queue: a condition of 30 000 values", "/v1/queues/worst", within).by(Method::PUT),
        post("qualification: 256 KiB", &format!("/v1/leads/{nobody}/qualification"), evidence)
            .by(Method::PUT),
        post(
            "links: 200 of 1 200 bytes",
            "/v1/links",
            format!(r#"{{"email":"a@b.example","message_id":"m","links":{links}}}"#),
        ),
        post("leads/batch: 1 000 of 10 KiB", "/v1/leads/batch", format!(r#"{{"leads":{leads}}}"#)),
        post(
            "keys: a name of 256 KiB",
            "/v1/keys",
            json!({"name": "a".repeat(DOCUMENT - 64), "scopes": ["read"]}).to_string(),
        ),
        post(
            "webhooks: a list of 256 KiB",
            "/v1/webhooks",
            format!(
                r#"{{"url":"https://acme.example/","events":[{}]}}"#,
                filled("", |_| r#""lead_created""#.to_owned(), "", DOCUMENT - 128)
            ),
        ),
    ]
}
