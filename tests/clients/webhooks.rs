//! What is sent, verified by the libraries that receivers use.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use sqlx::ConnectOptions;
use tokio::runtime::Runtime;

use crate::{
    database::TestDatabase,
    install,
    receiver::{Got, Receiver},
    scratch::Scratch,
    service::{ADMIN, KEYS, Service},
};

fn post(service: &Service, path: &str, body: &str) -> Value {
    let answer = service.call("POST", path, ADMIN, body).expect("an answer");
    assert!([200, 201].contains(&answer.status), "{answer:?}");
    answer.body
}

/// A message as it came, with the secret by which a receiver verifies it.
fn message(got: &Got, secret: &Value) -> Value {
    let headers: Value = got
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), json!(value.to_str().expect("text"))))
        .collect();
    json!({"secret": secret, "headers": headers, "body": got.text})
}

fn verify(mut script: Command, message: &Value) -> Output {
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut script = script.spawn().expect("the script runs");
    script.stdin.take().expect("it is piped").write_all(message.to_string().as_bytes()).expect("it reads");
    script.wait_with_output().expect("it ends")
}

/// Has a real service send a message after its secret was changed, and the script verify it by either secret.
fn prove(script: impl Fn() -> Command) {
    let (scratch, runtime) = (Scratch::new(), Runtime::new().expect("a runtime"));
    let database = runtime.block_on(TestDatabase::create());
    let url = database.options().to_url_lossy();
    let allow = ("LEADSCORE_WEBHOOK_ALLOW", "127.0.0.1");
    let service = Service::start_with(&scratch, &[("DATABASE_URL", url.as_str()), KEYS[0], KEYS[1], allow]);
    let receiver = runtime.block_on(Receiver::start());
    let made = post(&service, "/v1/webhooks", &json!({ "url": receiver.url }).to_string());
    let path = format!("/v1/webhooks/{}", made["id"].as_str().expect("an id"));
    let rotated = post(&service, &format!("{path}/rotate"), "");

    let sent = post(&service, &format!("{path}/ping"), "");

    assert_eq!(sent["state"], "delivered");
    let got = &receiver.got()[0];
    for secret in [&made["secret"], &rotated["secret"]] {
        let verified = verify(script(), &message(got, secret));
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
        assert_eq!(said.trim(), format!("webhook.ping {}", made["id"].as_str().expect("an id")));
        let mut forged = message(got, secret);
        forged["body"] = json!(got.text.replace("ping", "pong"));
        assert!(!verify(script(), &forged).status.success(), "a body that was tampered with");
    }
    let stranger = json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assert!(!verify(script(), &message(got, &stranger)).status.success(), "a secret of somebody else");
    service.stop();
    drop(receiver);
    runtime.block_on(database.remove());
}

#[test]
fn the_library_for_node_verifies_what_is_sent() {
    let Some(folder) = install::node() else {
        eprintln!("passed over: there is no node or no npm");
        return;
    };

    prove(|| {
        let mut command = Command::new("node");
        command.arg(folder.join("verify.js"));
        command
    });
}

#[test]
fn the_library_for_python_verifies_what_is_sent() {
    let Some(folder) = install::python() else {
        eprintln!("passed over: there is no python3 that can make a venv");
        return;
    };

    prove(|| {
        let mut command = Command::new(folder.join("venv/bin/python"));
        command.arg(folder.join("verify.py"));
        command
    });
}
