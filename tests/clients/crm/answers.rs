//! What sales answers in the CRM, and how the CRM shows where a lead stands.

use serde_json::{Value, json};

use super::{
    Dialect, HUBSPOT, SALESFORCE,
    office::{Office, python},
    visit,
};
use crate::service::ADMIN;

/// Sales answers a handoff, and the next run goes on from there.
fn follows_what_sales_answers(dialect: &'static Dialect) {
    if !python() {
        return;
    }
    let office = Office::open(dialect);
    let jane = "jane@acme.example";
    office.add("1", jane, "CEO");
    office.events(&visit(jane, "demo_requested"));
    office.sync();
    let offers = office.service.get("/v1/handoffs?state=open").body;
    let accept = format!("/v1/handoffs/{}/accept", offers["data"][0]["id"].as_str().unwrap());

    let answer = office.service.call("POST", &accept, ADMIN, r#"{"rep": "ann"}"#).expect("an answer");

    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(office.sync(), json!({"written": 1}));
    assert_eq!(office.field("1", dialect.stage), "sql");
    office.assert_in_step("1", &office.lead(jane));
    assert_eq!(office.sync(), json!({}));
    office.close();
}

#[test]
fn hubspot_is_told_what_sales_answers() {
    follows_what_sales_answers(&HUBSPOT);
}

#[test]
fn salesforce_is_told_what_sales_answers() {
    follows_what_sales_answers(&SALESFORCE);
}

#[test]
fn a_contacts_lifecycle_stage_moves_forward_only() {
    if !python() {
        return;
    }
    let office = Office::open(&HUBSPOT);
    office.add("1", "jane@acme.example", "CEO");
    office.add("2", "bob@acme.example", "CEO");
    office.set("1", "lifecyclestage", "lead");
    office.set("2", "lifecyclestage", "customer");
    office.events(&json!([
        visit("jane@acme.example", "demo_requested"),
        visit("bob@acme.example", "demo_requested")
    ]));

    office.sync();

    assert_eq!(office.field("1", "lifecyclestage"), "marketingqualifiedlead");
    assert_eq!(office.field("2", "lifecyclestage"), "customer");
    assert_eq!(office.field("2", "leadscore_stage"), "mql");
    assert_eq!(office.sync(), json!({}));
    office.close();
}

#[test]
fn bands_are_ratings_in_salesforce_and_converted_leads_are_left_alone() {
    if !python() {
        return;
    }
    let office = Office::open(&SALESFORCE);
    office.add("1", "jane@acme.example", "CEO");
    office.events(&visit("jane@acme.example", "demo_requested"));
    office.sync();
    assert_eq!(office.field("1", "Rating"), "Warm");
    office.crm.data().set("1", [("IsConverted".to_owned(), json!(true))]);
    office.sync();
    let writes = office.crm.data().writes;

    office.events(&visit("jane@acme.example", "trial_started"));

    assert_eq!(office.sync(), json!({}));
    assert_eq!(office.crm.data().writes, writes);
    assert_eq!(office.lead("jane@acme.example")["profile"]["crm_converted"], true);
    office.close();
}

#[test]
fn refusals_are_told_to_salesforce_and_not_taken_back() {
    if !python() {
        return;
    }
    let office = Office::open(&SALESFORCE);
    let (jane, bob) = ("jane@acme.example", "bob@acme.example");
    office.add("1", jane, "CEO");
    office.add("2", bob, "CEO");
    office.sync();
    let refused = |id: &str| ["HasOptedOutOfEmail", "DoNotCall"].map(|field| office.field(id, field));
    assert_eq!(refused("1"), [Value::Null, Value::Null], "what nobody said is not told");

    office.events(&json!([visit(jane, "email_unsubscribed"), visit(bob, "do_not_contact_requested")]));
    office.sync();

    assert_eq!(refused("1"), [json!(true), Value::Null]);
    assert_eq!(refused("2"), [json!(true), json!(true)]);
    office.events(&visit(jane, "email_subscribed"));
    office.sync();
    assert_eq!(refused("1"), [json!(true), Value::Null]);
    office.close();
}
