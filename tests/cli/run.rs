//! Running the binary, and a service with a few leads to run it against.

use std::{
    process::{Command, Stdio},
    sync::LazyLock,
    time::SystemTime,
};

use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;
use serde_json::{Value, json};

use crate::{
    scratch::{PROGRAM, Scratch},
    service::{ADMIN, Service},
};

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The binary without any setting of its surroundings, on a screen of 100 columns.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("LEADSCORE_")) {
            command.env_remove(name);
        }
    }
    command.args(arguments).env("COLUMNS", "100").env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
    command
}

/// The binary, told of a service and its admin key.
pub(crate) fn command_for(service: &Service, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command.env("LEADSCORE_URL", format!("http://{}", service.address)).env("LEADSCORE_KEY", ADMIN);
    command
}

/// Runs the binary to its end.
pub(crate) fn end(mut command: Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs the binary against a service.
pub(crate) fn run(service: &Service, arguments: &[&str]) -> Said {
    end(command_for(service, arguments))
}

/// Runs what must succeed; what it prints.
pub(crate) fn out(service: &Service, arguments: &[&str]) -> String {
    let said = run(service, arguments);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{arguments:?}: {}", said.out);
    said.out
}

/// Runs what must succeed with `--json`; the lines that it prints, each a document.
pub(crate) fn json_out(service: &Service, arguments: &[&str]) -> Vec<Value> {
    let out = out(service, &[arguments, &["--json"]].concat());
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A text in which ids, instants and addresses of services are the same in every run.
pub(crate) fn settled(text: &str) -> String {
    static CHANGING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let pairs = [
            (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "01234567-89ab-7cde-8f01-23456789abcd"),
            (r"\b20\d\d-\d\d-\d\d\b", "2026-01-02"),
            (r"\b\d\d:\d\d:\d\d UTC", "03:04:05 UTC"),
            (r"(\s)\d\d:\d\d UTC", "${1}03:04 UTC"),
            (r"\bin [23]\d min\b", "in 30 min"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:8080"),
            (r"sk_[0-9A-Za-z]{16,}", "sk_a_secret_key"),
            (r"…[0-9A-Za-z]{4}\b", "…last"),
        ];
        pairs.map(|(pattern, with)| (Regex::new(pattern).unwrap(), with)).into()
    });
    CHANGING
        .iter()
        .fold(text.to_owned(), |text, (pattern, with)| pattern.replace_all(&text, *with).into_owned())
}

/// A service that knows three people: Jane and Raj, who asked for sales, and Kim, who looked around.
pub(crate) fn service_with_leads(scratch: &Scratch) -> Service {
    let service = Service::start(scratch);
    let now: DateTime<Utc> = SystemTime::now().into();
    let at = |hours: i64| now - TimeDelta::hours(hours);
    let identify = |hours: i64, user_id: &str, email: Option<&str>, traits: Value| {
        json!({"id": format!("identify-{user_id}"), "type": "identify", "occurred_at": at(hours),
            "lead": {"user_id": user_id, "email": email}, "traits": traits})
    };
    let act = |hours: i64, id: &str, user_id: &str, kind: &str, path: &str| {
        json!({"id": id, "type": kind, "occurred_at": at(hours),
            "lead": {"user_id": user_id}, "properties": {"path": path}})
    };
    let company =
        |name: &str, employees: u32| json!({"name": name, "employees": employees, "industry": "Software"});
    // A call each, so that the leads are known to have come one after the other.
    let jane = json!({"name": "Jane Doe", "title": "VP Sales", "phone": "+1 555 0100",
        "company": company("Acme", 200)});
    let raj =
        json!({"name": "Raj Rao", "title": "Sales Manager", "company": company("North \u{1b}[31mLabs", 20)});
    let people = [
        json!([
            identify(75, "u-jane", Some("jane@acme.example"), jane),
            act(74, "jane-1", "u-jane", "page_viewed", "/pricing"),
            act(73, "jane-2", "u-jane", "page_viewed", "/product/a"),
            act(73, "jane-3", "u-jane", "page_viewed", "/product/b"),
            act(73, "jane-4", "u-jane", "page_viewed", "/product/c"),
            act(73, "jane-5", "u-jane", "page_viewed", "/product/d"),
            act(40, "jane-6", "u-jane", "demo_requested", "/"),
        ]),
        json!([
            identify(51, "u-raj", Some("raj@north.example"), raj),
            act(50, "raj-1", "u-raj", "contact_sales_requested", "/"),
        ]),
        json!([
            identify(27, "u-kim", None, json!({"name": "Kim Ito"})),
            act(26, "kim-1", "u-kim", "page_viewed", "/pricing"),
        ]),
    ];
    for events in people {
        let answer = service.call("POST", "/v1/events", ADMIN, &events.to_string()).unwrap();
        assert_eq!(answer.body["accepted"], events.as_array().unwrap().len(), "{answer:?}");
    }
    service
}
