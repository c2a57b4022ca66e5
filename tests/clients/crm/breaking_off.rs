//! Runs that break off, and runs that cannot begin.

use std::fs;

use serde_json::json;

use super::{
    Dialect, HUBSPOT, SALESFORCE,
    fake::Failure,
    office::{Office, python, script},
    visit,
};

/// Wherever a run breaks off, the next one makes up for it, and nothing is done twice.
fn loses_nothing_when_it_breaks_off(dialect: &'static Dialect) {
    if !python() {
        return;
    }
    let office = Office::open(dialect);
    let jane = "jane@acme.example";
    office.add("1", jane, "Manager");
    office.events(
        &json!({"type": "identify", "lead": {"email": "ada@acme.example"}, "traits": {"title": "CTO"}}),
    );
    office.events(&visit("ada@acme.example", "demo_requested"));
    for failure in [Failure::Before, Failure::After] {
        office.crm.fail(failure);
        assert!(!office.run(&[]).status.success(), "a run that breaks off says so");
    }
    office.sync();
    assert_eq!(office.crm.data().records.len(), 2, "nobody is made twice");
    office.assert_in_step("1", &office.lead(jane));
    office.assert_in_step(&office.record_of("ada@acme.example"), &office.lead("ada@acme.example"));

    for (failure, kind) in [(Failure::Before, "trial_started"), (Failure::After, "chat_started")] {
        office.events(&visit(jane, kind));
        office.crm.fail(failure);
        assert!(!office.run(&[]).status.success());
        office.sync();
        office.assert_in_step("1", &office.lead(jane));
    }
    office.events(&visit(jane, "webinar_attended"));
    office.crm.fail(Failure::Busy);
    assert_eq!(office.sync(), json!({"written": 1}), "who comes too soon comes again");

    let kept = fs::read(office.state()).unwrap();
    office.set("1", dialect.title, "CEO");
    office.sync();
    let (lead, accepted) = (office.lead(jane), office.accepted());
    fs::write(office.state(), kept).unwrap();
    office.sync();
    assert_eq!(office.lead(jane), lead, "as if nothing of the last run had been written down");
    assert_eq!(office.accepted(), accepted);
    office.assert_in_step("1", &lead);
    office.close();
}

#[test]
fn a_sync_with_hubspot_that_breaks_off_loses_nothing() {
    loses_nothing_when_it_breaks_off(&HUBSPOT);
}

#[test]
fn a_sync_with_salesforce_that_breaks_off_loses_nothing() {
    loses_nothing_when_it_breaks_off(&SALESFORCE);
}

#[test]
fn a_run_that_lacks_something_says_what() {
    if !python() {
        return;
    }
    let complaint = |arguments: &[&str], settings: &[(&str, &str)]| {
        let mut command = script();
        for name in ["LEADSCORE_URL", "LEADSCORE_KEY", "CRM_URL", "CRM_TOKEN"] {
            command.env_remove(name);
        }
        let output =
            command.args(arguments).envs(settings.iter().copied()).output().expect("the script runs");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("text")
    };

    let wrong: [&[&str]; 2] = [&[], &["pipedrive"]];
    for arguments in wrong {
        let said = complaint(arguments, &[]);
        assert!(said.starts_with("usage: sync.py") && said.contains("{hubspot,salesforce}"), "{said}");
    }
    let said = complaint(&["hubspot"], &[("CRM_URL", "http://127.0.0.1:1"), ("LEADSCORE_KEY", "")]);
    assert!(said.contains("LEADSCORE_URL, LEADSCORE_KEY, CRM_TOKEN"), "{said}");
    assert!(!said.contains("Traceback"), "{said}");
}
