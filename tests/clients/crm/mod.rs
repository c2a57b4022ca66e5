//! The sync with a CRM that we hand out, run as its users run it: the real script, against the real service and a server
//! that speaks the CRM's shapes.

mod answers;
mod breaking_off;
mod fake;
mod hubspot;
mod in_step;
mod naming;
mod office;
mod records;
mod salesforce;

use fake::Speak;
use serde_json::{Value, json};

/// What a CRM calls things.
struct Dialect {
    name: &'static str,
    speak: Speak,
    email: &'static str,
    first_name: &'static str,
    last_name: &'static str,
    company: &'static str,
    employees: &'static str,
    title: &'static str,
    phone: &'static str,
    owner: &'static str,
    score: &'static str,
    band: &'static str,
    stage: &'static str,
    lead: &'static str,
}

const HUBSPOT: Dialect = Dialect {
    name: "hubspot",
    speak: hubspot::speak,
    email: "email",
    first_name: "firstname",
    last_name: "lastname",
    company: "company",
    employees: "numemployees",
    title: "jobtitle",
    phone: "phone",
    owner: "hubspot_owner_id",
    score: "leadscore",
    band: "leadscore_band",
    stage: "leadscore_stage",
    lead: "leadscore_id",
};

const SALESFORCE: Dialect = Dialect {
    name: "salesforce",
    speak: salesforce::speak,
    email: "Email",
    first_name: "FirstName",
    last_name: "LastName",
    company: "Company",
    employees: "NumberOfEmployees",
    title: "Title",
    phone: "Phone",
    owner: "OwnerId",
    score: "Leadscore_Score__c",
    band: "Leadscore_Band__c",
    stage: "Leadscore_Stage__c",
    lead: "Leadscore_Id__c",
};

fn visit(email: &str, kind: &str) -> Value {
    json!({"type": kind, "lead": {"email": email}, "properties": {"path": "/pricing"}})
}
