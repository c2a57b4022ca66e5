//! What e-mail providers tell.

mod providers;
mod refusals;
mod replies;
mod sources;

use std::path::Path;

use axum::{body::Body, http::Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{Answer, TestApp};

/// The recordings of a provider.
struct Recordings(Value);

/// One recorded request.
#[derive(Clone)]
struct Case(Value);

impl Recordings {
    fn of(file: &str) -> Recordings {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/api/captures/email/{file}.json"));
        Recordings(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap()
    }

    fn cases(&self) -> Vec<Case> {
        self.0["cases"].as_array().unwrap().iter().cloned().map(Case).collect()
    }

    fn case(&self, name: &str) -> Case {
        self.cases().into_iter().find(|case| case.name().starts_with(name)).unwrap()
    }
}

impl Case {
    fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    fn body(&self) -> &str {
        self.0["body"].as_str().unwrap()
    }

    fn headers(&self) -> Vec<(String, String)> {
        let headers = self.0["headers"].as_object().unwrap().iter();
        headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    }

    /// Whether it is one that must be refused.
    fn is_bad(&self) -> bool {
        self.0["expect"].get("http_status").is_some()
    }

    fn with_body(&self, body: &str) -> Case {
        let mut case = self.0.clone();
        case["body"] = json!(body);
        Case(case)
    }

    fn with_header(&self, name: &str, value: &str) -> Case {
        let mut case = self.0.clone();
        case["headers"][name] = json!(value);
        Case(case)
    }

    /// A request with this body and the password that the recordings of Postmark have.
    fn of_postmark(body: &Value) -> Case {
        provider("postmark").0.case("click_event").with_body(&body.to_string())
    }

    /// The same, signed now by Resend's secret.
    fn signed_now(&self, app: &TestApp, secret: &str) -> Case {
        let timestamp = app.now().timestamp().to_string();
        let id = self.0["headers"]["svix-id"].as_str().unwrap();
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{id}.{timestamp}.{}", self.body()).as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.with_header("svix-timestamp", &timestamp).with_header("svix-signature", &signature)
    }
}

/// A key that signs as SendGrid does.
struct SendgridKey(EcdsaKeyPair);

impl SendgridKey {
    fn generate() -> SendgridKey {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        SendgridKey(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random).unwrap())
    }

    /// What SendGrid shows of it: DER in base64.
    fn shown(&self) -> String {
        let begins = STANDARD.decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA=").unwrap();
        STANDARD.encode([&begins, self.0.public_key().as_ref()].concat())
    }

    /// A recorded request with another body, signed by this key.
    fn sign(&self, case: &Case, body: &str) -> Case {
        let signed = self.0.sign(&SystemRandom::new(), format!("1461095250{body}").as_bytes()).unwrap();
        case.with_body(body)
            .with_header("X-Twilio-Email-Event-Webhook-Timestamp", "1461095250")
            .with_header("X-Twilio-Email-Event-Webhook-Signature", &STANDARD.encode(signed))
    }
}

/// A provider's recordings, and how its source is made.
fn provider(name: &str) -> (Recordings, Value) {
    let (file, source): (&str, fn(&Recordings) -> Value) = match name {
        "sendgrid" => ("sendgrid", |said| json!({"public_key": said.text("verification_key_base64_der")})),
        "mailgun" => ("mailgun", |said| json!({"signing_key": said.text("webhook_signing_key")})),
        "postmark" => ("postmark", |_| json!({"basic": {"username": "postmark", "password": "s3cret"}})),
        "ses" => (
            "amazon_ses_sns",
            |said| json!({"topic_arns": ["arn:aws:sns:us-east-1:123456789012:ses-events"], "certificates": [said.text("cert_pem")]}),
        ),
        "resend" => ("resend_svix", |said| json!({"secret": said.text("secret")})),
        "brevo" => (
            "brevo",
            |said| json!({"header": {"name": "Authorization", "value": format!("Bearer {}", said.text("bearer"))}}),
        ),
        _ => panic!("{name}"),
    };
    let recordings = Recordings::of(file);
    let mut wanted = source(&recordings);
    wanted["provider"] = json!(name);
    wanted["name"] = json!("Marketing");
    (recordings, wanted)
}

/// Makes a source; the path to which it is told to send.
async fn source(app: &TestApp, wanted: &Value) -> String {
    let made = app.post("/v1/mail-sources", wanted.to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["url"].as_str().unwrap().strip_prefix("http://leads.test").unwrap().to_owned()
}

async fn send(app: &TestApp, path: &str, case: &Case) -> Answer {
    let mut request = Request::post(path);
    for (name, value) in case.headers() {
        request = request.header(name, value);
    }
    app.send(request.body(Body::from(case.body().to_owned())).unwrap()).await
}

/// Makes a source of this provider and sends it a recorded request.
async fn told(app: &TestApp, name: &str, case: &str) -> Answer {
    let (recordings, wanted) = provider(name);
    let path = source(app, &wanted).await;
    let mut case = recordings.case(case);
    if name == "resend" {
        case = case.signed_now(app, recordings.text("secret"));
    }
    send(app, &path, &case).await
}

async fn forget_events(app: &TestApp) {
    sqlx::query("delete from event").execute(&mut app.database.connect().await).await.unwrap();
}

/// The events of the log, oldest first: type, properties, context, and the sender's id.
async fn log(app: &TestApp) -> Vec<(String, Value, Option<Value>, String)> {
    let rows = sqlx::query_as("select type, properties, context, id from event order by occurred_at, id");
    rows.fetch_all(&mut app.database.connect().await).await.unwrap()
}
