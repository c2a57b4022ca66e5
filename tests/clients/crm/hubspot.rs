//! HubSpot's API for contacts, as far as the sync uses it.

use axum::http::Uri;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::fake::{Data, Row, parameter};

/// How many contacts a page holds, though more are asked for: so that there are several.
const PAGE: usize = 2;
const PROPERTIES: [&str; 15] = [
    "email",
    "firstname",
    "lastname",
    "jobtitle",
    "company",
    "industry",
    "phone",
    "hs_lead_status",
    "lifecyclestage",
    "hubspot_owner_id",
    "leadscore",
    "leadscore_grade",
    "leadscore_band",
    "leadscore_stage",
    "leadscore_id",
];
const FORWARD: [&str; 6] =
    ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"];

pub(super) fn speak(data: &mut Data, method: &str, uri: &Uri, body: &Value) -> (u16, Value) {
    match (method, uri.path()) {
        ("POST", "/crm/v3/objects/contacts/search") => search(data, body),
        ("GET", "/crm/v3/objects/contacts") => archived(data, uri),
        ("POST", "/crm/v3/objects/contacts/batch/update") => write(data, body, |data, input| {
            let id = input["id"].as_str()?;
            data.records.get(id).filter(|row| !row.deleted)?;
            Some((id.to_owned(), false))
        }),
        ("POST", "/crm/v3/objects/contacts/batch/upsert") => write(data, body, |data, input| {
            let email = (input["idProperty"] == "email").then(|| input["id"].clone())?;
            let known = data.by_field("email", &email);
            let new = known.is_none();
            let id = known.unwrap_or_else(|| {
                let id = format!("{}", 101 + data.records.len());
                data.add(id.clone(), Map::from_iter([("email".to_owned(), email)]));
                id
            });
            Some((id, new))
        }),
        _ => (404, json!({"status": "error", "message": "resource not found"})),
    }
}

fn invalid(message: &str) -> (u16, Value) {
    (400, json!({"status": "error", "category": "VALIDATION_ERROR", "message": message}))
}

fn search(data: &Data, body: &Value) -> (u16, Value) {
    let sorts = json!([{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}]);
    let filter = &body["filterGroups"][0]["filters"][0];
    let millis = filter["value"].as_str().map(|text| text.parse().expect("milliseconds"));
    if body["sorts"] != sorts || body["limit"].as_u64().is_none_or(|limit| limit > 200) {
        return invalid("There was a problem with the request.");
    }
    if millis.is_some()
        && (&filter["propertyName"], &filter["operator"]) != (&json!("lastmodifieddate"), &json!("GTE"))
    {
        return invalid("There was a problem with the filter.");
    }
    let since = millis.map(|millis| DateTime::from_timestamp_millis(millis).expect("an instant"));
    let rows: Vec<_> = data.since(since).into_iter().filter(|(_, row)| !row.deleted).collect();
    let from = body["after"].as_str().map_or(0, |after| after.parse().expect("a place"));
    let wanted: Vec<&str> =
        body["properties"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let results: Vec<Value> =
        rows.iter().skip(from).take(PAGE).map(|(id, row)| contact(id, row, &wanted)).collect();
    (200, paged(rows.len(), from, &results))
}

fn archived(data: &Data, uri: &Uri) -> (u16, Value) {
    if parameter(uri, "archived").as_deref() != Some("true") {
        return invalid("only the archived are asked for");
    }
    let rows: Vec<_> = data.records.iter().filter(|(_, row)| row.deleted && row.master.is_none()).collect();
    let from = parameter(uri, "after").map_or(0, |after| after.parse().expect("a place"));
    let results: Vec<Value> =
        rows.iter().skip(from).take(PAGE).map(|(id, row)| contact(id, row, &[])).collect();
    (200, paged(rows.len(), from, &results))
}

fn paged(total: usize, from: usize, results: &[Value]) -> Value {
    let mut page = json!({"total": total, "results": results});
    if from + PAGE < total {
        let after = (from + PAGE).to_string();
        page["paging"] = json!({"next": {"after": after, "link": format!("?after={after}")}});
    }
    page
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn contact(id: &str, row: &Row, wanted: &[&str]) -> Value {
    let property = |name: &&str| match *name {
        "lastmodifieddate" => json!(time(row.modified)),
        "hs_merged_object_ids" if !row.merged.is_empty() => json!(row.merged.join(";")),
        name => row.fields.get(name).cloned().unwrap_or_default(),
    };
    let properties: Map<String, Value> =
        wanted.iter().map(|name| ((*name).to_owned(), property(name))).collect();
    let mut contact = json!({"id": id, "properties": properties, "createdAt": time(row.modified),
        "updatedAt": time(row.modified), "archived": row.deleted});
    if row.deleted {
        contact["archivedAt"] = json!(time(row.modified));
    }
    contact
}

/// A batch: 400 for one that HubSpot would not read, 207 if some of it is done.
fn write(
    data: &mut Data,
    body: &Value,
    find: impl Fn(&mut Data, &Value) -> Option<(String, bool)>,
) -> (u16, Value) {
    let inputs = body["inputs"].as_array().expect("inputs");
    if inputs.len() > 100 {
        return invalid("the limit is 100");
    }
    for (name, value) in inputs.iter().flat_map(|input| input["properties"].as_object().expect("properties"))
    {
        if !PROPERTIES.contains(&name.as_str()) {
            return invalid(&format!("Property \"{name}\" does not exist"));
        }
        if !value.is_string() {
            return invalid(&format!("{name}: {value} is no string"));
        }
    }
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs {
        let Some((id, new)) = find(data, input) else {
            errors.push(
                json!({"status": "error", "category": "OBJECT_NOT_FOUND", "context": {"ids": [input["id"]]}}),
            );
            continue;
        };
        let mut properties = input["properties"].as_object().expect("properties").clone();
        let stage = |value: Option<&Value>| {
            FORWARD.iter().position(|stage| value.and_then(Value::as_str) == Some(*stage))
        };
        if stage(properties.get("lifecyclestage")) < stage(data.records[&id].fields.get("lifecyclestage")) {
            properties.remove("lifecyclestage");
        }
        data.set(&id, properties);
        data.writes += 1;
        let mut result = contact(&id, &data.records[&id], &PROPERTIES);
        result["new"] = json!(new);
        results.push(result);
    }
    let status = if errors.is_empty() { 200 } else { 207 };
    (status, json!({"status": "COMPLETE", "results": results, "errors": errors, "numErrors": errors.len()}))
}
