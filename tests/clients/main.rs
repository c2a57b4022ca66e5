//! The real SDKs against the real service, with only the host changed; its own tracker in a real browser; and the real
//! libraries by which receivers verify its webhooks.
//!
//! Each is installed as its users install it and runs a script such as its documentation shows; `install` says how. A
//! test is passed over, and says so, only where the language itself, or the browser, is missing.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod browser;
mod install;
mod webhooks;

#[path = "../api/harness/database.rs"]
#[expect(dead_code, reason = "shared with the tests of the API, which use all of it")]
mod database;
#[path = "../process/http.rs"]
mod http;
#[path = "../api/harness/receiver.rs"]
#[expect(dead_code, reason = "shared with the tests of the API, which use all of it")]
mod receiver;
#[path = "../process/scratch.rs"]
#[expect(dead_code, reason = "shared with the tests of the process, which use all of it")]
mod scratch;
#[path = "../process/service.rs"]
#[expect(dead_code, reason = "shared with the tests of the process, which use all of it")]
mod service;

use std::{fs::File, path::Path, process::Command};

use chrono::SecondsFormat;
use leadscore::clock::Clock;
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use tokio::runtime::Runtime;

use database::TestDatabase;
use scratch::{Scratch, wait_for};
use service::{KEYS, Service, WRITE};

/// How many messages a script sends.
const MESSAGES: u64 = 6;

/// Runs a script to its end, which must be a good one: the SDK says that all was sent.
fn run(scratch: &Scratch, service: &Service, at: &str, command: &mut Command) {
    let said = scratch.folder.join("script.log");
    let log = || File::options().append(true).create(true).open(&said).expect("a log");
    let host = format!("http://{}", service.address);
    command.env("HOST", host).env("WRITE_KEY", WRITE).env("AT", at).stdout(log()).stderr(log());
    let mut script = command.spawn().expect("the script runs");
    let status = wait_for("the script to end", || script.try_wait().expect("it is our child"));
    assert!(status.success(), "{status}: {}", std::fs::read_to_string(said).unwrap_or_default());
}

/// How many events had an outcome, since the service started.
fn counted(service: &Service, outcome: &str) -> u64 {
    let metrics = service.get("/metrics").body;
    let name = format!("leadscore_events_total{{outcome=\"{outcome}\"}} ");
    let line = metrics.as_str().expect("text").lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |count| count.parse().expect("a number"))
}

fn leads(service: &Service) -> Vec<Value> {
    service.get("/v1/leads").body["data"].as_array().expect("leads").clone()
}

/// Runs a script twice against a service of its own, and looks at what became of it.
fn prove(script: impl Fn() -> Command) {
    let (scratch, runtime) = (Scratch::new(), Runtime::new().expect("a runtime"));
    let database = runtime.block_on(TestDatabase::create());
    let url = database.options().to_url_lossy();
    let service = Service::start_with(&scratch, &[("DATABASE_URL", url.as_str()), KEYS[0], KEYS[1]]);
    let at = Clock::System.now().to_rfc3339_opts(SecondsFormat::Millis, false);

    run(&scratch, &service, &at, &mut script());

    assert_eq!(
        ["accepted", "duplicate", "rejected"].map(|outcome| counted(&service, outcome)),
        [MESSAGES, 0, 0]
    );
    let known = leads(&service);
    assert_eq!(known.len(), 1, "the device, both user ids and the address are one lead: {known:?}");
    assert_is_jane(&known[0]);

    run(&scratch, &service, &at, &mut script());

    assert_eq!(
        ["accepted", "duplicate", "rejected"].map(|outcome| counted(&service, outcome)),
        [MESSAGES, MESSAGES, 0]
    );
    assert_eq!(leads(&service), known, "the same messages again change nothing");
    service.stop();
    runtime.block_on(database.remove());
}

fn assert_is_jane(lead: &Value) {
    assert_eq!([&lead["user_id"], &lead["email"]], ["jane", "jane@acme.example"]);
    assert_eq!(lead["stage"], "mql", "who asks for a demo raises a hand");
    assert_eq!(lead["fit"], 40_000, "20 for the title, 15 for the company's size, 5 for its industry");
    assert_eq!(
        lead["engagement"], 60_000,
        "10 for prices seen as a stranger, 20 for the trial under another id, 30 for the demo"
    );
    let company = json!({"id": "acme", "name": "Acme", "industry": "Software", "employees": 200});
    assert_eq!((&lead["profile"]["firstName"], &lead["profile"]["company"]), (&json!("Jane"), &company));
}

fn python(folder: &Path) -> Command {
    let mut command = Command::new(folder.join("venv/bin/python"));
    command.arg(folder.join("tracker.py")).env_remove("GZIP");
    command
}

#[test]
fn segments_node_sdk_works_with_only_its_host_changed() {
    let Some(folder) = install::node() else {
        eprintln!("passed over: there is no node or no npm");
        return;
    };

    prove(|| {
        let mut command = Command::new("node");
        command.arg(folder.join("tracker.js"));
        command
    });
}

#[test]
fn segments_python_sdk_works_with_only_its_host_changed() {
    let Some(folder) = install::python() else {
        eprintln!("passed over: there is no python3 that can make a venv");
        return;
    };

    prove(|| python(&folder));
}

#[test]
fn segments_python_sdk_works_compressed() {
    let Some(folder) = install::python() else {
        eprintln!("passed over: there is no python3 that can make a venv");
        return;
    };

    prove(|| {
        let mut command = python(&folder);
        command.env("GZIP", "true");
        command
    });
}
