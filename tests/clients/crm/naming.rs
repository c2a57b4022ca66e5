//! Names, companies and the ids by which both sides know somebody.

use serde_json::{Value, json};

use super::{
    Dialect, HUBSPOT, SALESFORCE,
    office::{Office, python},
    visit,
};

/// What leads are called reaches the records that are made for them; a company's size counts here, and what others said of
/// the company stays.
fn knows_names_and_companies(dialect: &'static Dialect, employees: Value) {
    if !python() {
        return;
    }
    let office = Office::open(dialect);
    let (jane, ada, eve) = ("jane@acme.example", "ada@engines.example", "eve@plain.example");
    let company = json!({"domain": "acme.example", "employees": 2});
    office.events(&json!([
        {"type": "identify", "lead": {"email": jane}, "occurred_at": "2020-01-01T00:00:00Z",
            "traits": {"company": company}},
        {"type": "identify", "lead": {"email": ada},
            "traits": {"name": "Ada King Byron", "company": {"name": "Engines"}}},
        {"type": "identify", "lead": {"email": eve},
            "traits": {"firstName": "Eve", "lastName": "Moss", "name": "E. M.", "company": "Plain"}},
        visit(ada, "demo_requested"),
        visit(eve, "demo_requested"),
    ]));
    office.add("1", jane, "Manager");
    office.set("1", dialect.company, "Acme");
    office.crm.data().set("1", [(dialect.employees.to_owned(), employees)]);

    office.sync();

    let lead = office.lead(jane);
    let company = json!({"domain": "acme.example", "employees": 50, "name": "Acme"});
    assert_eq!((&lead["profile"]["company"], &lead["fit"]), (&company, &json!(25_000)));
    let called = |email: &str| {
        let record = office.record_of(email);
        [dialect.first_name, dialect.last_name, dialect.company].map(|field| office.field(&record, field))
    };
    assert_eq!(called(ada), ["Ada King", "Byron", "Engines"]);
    assert_eq!(called(eve), ["Eve", "Moss", "Plain"]);
    assert_eq!(office.sync(), json!({}));
    office.close();
}

/// The product's own id of a person, where the CRM keeps it; and where it does not.
fn finds_the_products_users(dialect: &'static Dialect, field: &str) {
    if !python() {
        return;
    }
    let office = Office::open(dialect);
    office.events(&json!({"type": "identify", "lead": {"user_id": "app-1", "email": "jane@acme.example"}}));
    office.events(&json!({"type": "identify", "lead": {"user_id": "app-2"}}));
    office.add("1", "jane@acme.example", "CEO");
    office.add("2", "bob@acme.example", "CEO");
    office.set("2", field, "app-2");

    office.sync_with(&[("CRM_EXTERNAL_ID", field)]);

    for (user, record) in [("app-1", "1"), ("app-2", "2")] {
        let lead = office.service.get(&format!("/v1/leads/by/external_id/{user}")).body;
        assert_eq!(lead["profile"]["title"], "CEO", "{lead}");
        office.assert_in_step(record, &lead);
    }
    assert_eq!(office.sync_with(&[("CRM_EXTERNAL_ID", field)]), json!({}));
    office.close();

    let office = Office::open(dialect);
    office.events(&json!({"type": "identify", "lead": {"user_id": "app-1", "email": "jane@acme.example"}}));
    office.add("1", "jane@acme.example", "CEO");
    office.sync();
    let lead = office.lead("jane@acme.example");
    assert_eq!((&lead["user_id"], &lead["profile"]["title"]), (&json!("app-1"), &json!("CEO")));
    office.assert_in_step("1", &lead);
    office.close();
}

#[test]
fn names_and_companies_are_the_same_in_hubspot() {
    knows_names_and_companies(&HUBSPOT, json!("50-100"));
}

#[test]
fn names_and_companies_are_the_same_in_salesforce() {
    knows_names_and_companies(&SALESFORCE, json!(50));
}

#[test]
fn contacts_of_hubspot_are_found_by_the_products_ids() {
    finds_the_products_users(&HUBSPOT, "app_user_id");
}

#[test]
fn leads_of_salesforce_are_found_by_the_products_ids() {
    finds_the_products_users(&SALESFORCE, "App_User_Id__c");
}
