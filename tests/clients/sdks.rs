//! SDKs for servers, with only the host changed.

use std::{path::Path, process::Command};

use chrono::SecondsFormat;
use leadscore::platform::clock::Clock;
use serde_json::{Value, json};

use crate::{Stage, install};

/// How many messages a script sends.
const MESSAGES: u64 = 6;
/// Of those for node, the packages that send the ids that they are given.
const NODE: [&str; 4] = [
    "@segment/analytics-node",
    "analytics-node",
    "@rudderstack/rudder-sdk-node",
    "@customerio/cdp-analytics-node",
];
/// Of those for python, the modules that send the ids that they are given.
const PYTHON: [&str; 3] = ["segment.analytics", "rudderstack.analytics", "customerio.analytics"];

fn node(folder: &Path, script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.arg(folder.join(script)).args(arguments);
    command
}

fn python(folder: &Path, module: &str) -> Command {
    let mut command = Command::new(folder.join("venv/bin/python"));
    command.arg(folder.join("tracker.py")).arg(module).env_remove("GZIP");
    command
}

/// Runs scripts that say the same, each of another SDK: the first makes a lead, and of the others the service knows
/// every message, by its id and by what it says. What each has sent is then sent again, to the byte.
fn prove(scripts: impl IntoIterator<Item = Command>) {
    let stage = Stage::set();
    let at = Clock::System.now().to_rfc3339_opts(SecondsFormat::Millis, false);
    let mut known = Vec::new();
    for (before, mut script) in (0..).zip(scripts) {
        stage.run(script.env("AT", &at));

        assert_eq!(outcomes(&stage), [MESSAGES, 2 * before * MESSAGES, 0], "{script:?}");
        if before == 0 {
            known = stage.leads();
            assert_are_jane(&known);
        }
        assert_eq!(stage.leads(), known, "the same messages again change nothing: {script:?}");
        let log = stage.log();
        stage.wire.send_again();

        assert_eq!(outcomes(&stage), [MESSAGES, (2 * before + 1) * MESSAGES, 0], "{script:?}");
        assert_eq!((stage.leads(), stage.log()), (known.clone(), log), "the same bytes: {script:?}");
    }
    stage.strike();
}

/// How many events were accepted, duplicates, and rejected.
fn outcomes(stage: &Stage) -> [u64; 3] {
    ["accepted", "duplicate", "rejected"].map(|outcome| stage.counted("leadscore_events_total", outcome))
}

fn assert_are_jane(leads: &[Value]) {
    assert_eq!(leads.len(), 1, "the device, the user ids and the address are one lead: {leads:?}");
    let lead = &leads[0];
    assert_eq!([&lead["user_id"], &lead["email"]], ["jane", "jane@acme.example"]);
    assert_eq!(lead["stage"], "mql", "who asks for a demo raises a hand");
    assert_eq!(lead["fit"], 40_000, "20 for the title, 15 for the company's size, 5 for its industry");
    assert_eq!(
        lead["engagement"], 60_000,
        "10 for prices seen as a stranger, 20 for the trial, 30 for the demo"
    );
    let company = json!({"id": "acme", "name": "Acme", "industry": "Software", "employees": 200});
    assert_eq!((&lead["profile"]["firstName"], &lead["profile"]["company"]), (&json!("Jane"), &company));
}

/// Runs scripts with a key that nobody has: each must say that it failed, and have sent each of the requests that its
/// messages take once.
fn assert_give_up_at_once(scripts: impl IntoIterator<Item = (Command, u64)>) {
    let stage = Stage::set();
    let mut expected = 0;
    for (mut script, requests) in scripts {
        let (status, said) =
            stage.attempt(script.env("AT", "2026-11-21T09:00:00+00:00"), "wk_of_nobody_at_all_0123");

        assert!(!status.success(), "{script:?} says that all was sent: {said}");
        expected += requests;
        let refused = stage.counted("leadscore_http_seconds_count", "status=\"401\"");
        assert_eq!(refused, expected, "{script:?}: {said}");
    }
    assert_eq!(outcomes(&stage), [0, 0, 0]);
    stage.strike();
}

#[test]
fn the_sdks_for_node_work_with_only_their_host_changed() {
    let Some(folder) = install::node() else {
        eprintln!("passed over: there is no node or no npm");
        return;
    };

    prove(NODE.map(|package| node(&folder, "tracker.js", &[package])));
}

#[test]
fn the_sdks_for_python_work_with_only_their_host_changed_plain_and_compressed() {
    let Some(folder) = install::python() else {
        eprintln!("passed over: there is no python3 that can make a venv");
        return;
    };

    prove(PYTHON.into_iter().flat_map(|module| {
        let mut compressed = python(&folder, module);
        compressed.env("GZIP", "true");
        [python(&folder, module), compressed]
    }));
}

#[test]
fn the_sdks_that_give_messages_ids_of_their_own_work_with_only_their_host_changed() {
    let (Some(for_node), Some(for_python)) = (install::node(), install::python()) else {
        eprintln!("passed over: there is no node or npm, or no python3 that can make a venv");
        return;
    };

    prove([python(&for_python, "analytics")]);
    let stage = Stage::set();
    stage.run(&mut node(&for_node, "jitsu.js", &[]));
    assert_eq!(outcomes(&stage), [MESSAGES - 1, 0, 0], "it has no alias");
    let (known, log) = (stage.leads(), stage.log());
    assert_are_jane(&known);
    stage.wire.send_again();
    assert_eq!(outcomes(&stage), [MESSAGES - 1, MESSAGES - 1, 0]);
    assert_eq!((stage.leads(), stage.log()), (known, log));
    stage.strike();
}

#[test]
fn a_refused_key_is_reported_by_the_sdks_and_not_tried_again() {
    let (Some(for_node), Some(for_python)) = (install::node(), install::python()) else {
        eprintln!("passed over: there is no node or npm, or no python3 that can make a venv");
        return;
    };

    // Customer.io's for node and the oldest for python try again whatever the answer says. Two of those for node send
    // their first message alone.
    let nodes = [("@segment/analytics-node", 1), ("analytics-node", 2), ("@rudderstack/rudder-sdk-node", 2)];
    let nodes = nodes.map(|(package, requests)| (node(&for_node, "tracker.js", &[package]), requests));
    let pythons = PYTHON.map(|module| (python(&for_python, module), 1));
    assert_give_up_at_once(nodes.into_iter().chain([(node(&for_node, "jitsu.js", &[]), 1)]).chain(pythons));
}

#[test]
fn a_service_that_can_take_no_more_is_tried_again_and_nothing_is_lost_or_doubled() {
    let (Some(for_node), Some(for_python)) = (install::node(), install::python()) else {
        eprintln!("passed over: there is no node or npm, or no python3 that can make a venv");
        return;
    };
    let nodes = NODE.map(|package| node(&for_node, "tracker.js", &[package]));
    let stage = Stage::set();
    let at = Clock::System.now().to_rfc3339_opts(SecondsFormat::Millis, false);

    for (before, mut script) in
        (0..).zip(nodes.into_iter().chain(PYTHON.map(|module| python(&for_python, module))))
    {
        stage.wire.refuse(1);
        stage.run(script.env("AT", &at));

        assert_eq!(stage.wire.refusals_left(), 0, "{script:?} met it");
        assert_eq!(outcomes(&stage), [MESSAGES, before * MESSAGES, 0], "{script:?}");
        assert_are_jane(&stage.leads());
    }
    stage.strike();
}
