//! Pages in a real browser, on another origin than the service, and the SDKs for web pages on them.

use std::process::Command;

use serde_json::{Value, json};

use crate::{Stage, install, scratch::wait_until};

/// What became of a visit: every event of the log, in the order in which it happened, and the leads.
pub(crate) struct Visited {
    pub(crate) events: Vec<Value>,
    pub(crate) leads: Vec<Value>,
}

impl Visited {
    /// Some fields of every event, sorted, since many happen in one millisecond; a field of its properties has a dot in
    /// front. How long pages were in view is left out: that is this machine's affair.
    pub(crate) fn fields(&self, names: &[&str]) -> Value {
        let field = |event: &Value, name: &str| match name.strip_prefix('.') {
            Some(name) => event["properties"][name].clone(),
            None => event[name].clone(),
        };
        let events = self.events.iter().filter(|event| event["type"] != "page_left");
        let mut rows: Vec<Value> =
            events.map(|event| names.iter().map(|name| field(event, name)).collect()).collect();
        rows.sort_by_key(Value::to_string);
        rows.into()
    }

    /// For how many seconds each page was in view, in the order in which they were left.
    pub(crate) fn stays(&self) -> Vec<(&str, u64)> {
        let left = self.events.iter().filter(|event| event["type"] == "page_left");
        let about = left.map(|event| &event["properties"]);
        about.map(|about| (about["path"].as_str().unwrap(), about["seconds"].as_u64().unwrap())).collect()
    }

    pub(crate) fn of(&self, kind: &str) -> &Value {
        self.events.iter().find(|event| event["type"] == kind).unwrap_or(&Value::Null)
    }

    pub(crate) fn view(&self, path: &str) -> &Value {
        let views = self.events.iter().filter(|event| event["type"] == "page_viewed");
        views.map(|event| &event["properties"]).find(|about| about["path"] == path).unwrap_or(&Value::Null)
    }
}

/// Has a visitor do something on a page, and waits for as many events as that makes; the same bytes again must change
/// nothing. None where there is no browser.
pub(crate) fn visit(script: &str, what: &str, events: usize) -> Option<Visited> {
    let Some((folder, browser)) = install::browser() else {
        eprintln!("passed over: there is no chromium, no node or no npm");
        return None;
    };
    let stage = Stage::set();
    let mut command = Command::new("node");
    command.arg(folder.join(script)).arg(what).env("CHROMIUM", browser);

    stage.run(&mut command);

    wait_until("what the page sent as it was left", || stage.log().len() >= events);
    let visited = Visited { leads: stage.leads(), events: stage.log() };
    let duplicates = || stage.counted("leadscore_events_total", "duplicate");
    let before = duplicates();
    stage.wire.send_again();
    assert_eq!(
        (stage.leads(), stage.log()),
        (visited.leads.clone(), visited.events.clone()),
        "the same bytes"
    );
    assert!(events == 0 || duplicates() > before, "they were sent again");
    stage.strike();
    Some(visited)
}

/// A page that uses an SDK; every message is taken, and nobody but the service is asked for anything.
fn prove(sdk: &str) {
    let Some(visited) = visit("sdks.js", sdk, 4) else { return };

    assert_eq!(
        visited.fields(&["type"]),
        json!([["demo_requested"], ["group"], ["identify"], ["page_viewed"]]),
        "{:#?}",
        visited.events
    );
    assert_eq!(visited.view("/pricing")["title"], "Acme");
    assert_eq!(visited.leads.len(), 1);
    let jane = &visited.leads[0];
    assert_eq!([&jane["user_id"], &jane["email"], &jane["stage"]], ["jane", "jane@acme.example", "mql"]);
    assert_eq!(jane["engagement"], 40_000, "10 for the prices, seen as a stranger, and 30 for the demo");
    assert_eq!(jane["profile"]["company"]["employees"], 200);
}

#[test]
fn segments_browser_sdk_works_with_only_its_host_changed() {
    prove("segment");
}

#[test]
fn segments_browser_sdk_works_in_batches() {
    prove("segment-batching");
}

#[test]
fn rudderstacks_browser_sdk_works_with_only_its_host_changed() {
    prove("rudder");
}

#[test]
fn rudderstacks_browser_sdk_works_in_batches() {
    prove("rudder-batch");
}

#[test]
fn rudderstacks_browser_sdk_works_by_beacons() {
    prove("rudder-beacon");
}
