//! Salesforce's REST API for leads, as far as the sync uses it.

use axum::http::Uri;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::fake::{Data, Row, parameter};

/// How many leads a page holds: so that there are several.
const PAGE: usize = 2;
const ROOT: &str = "/services/data/v62.0";
/// The fields of an organisation that has added ours.
const FIELDS: [&str; 19] = [
    "Email",
    "FirstName",
    "LastName",
    "Title",
    "Company",
    "NumberOfEmployees",
    "Industry",
    "Phone",
    "Status",
    "Rating",
    "OwnerId",
    "HasOptedOutOfEmail",
    "DoNotCall",
    "Leadscore_Id__c",
    "Leadscore_Score__c",
    "Leadscore_Grade__c",
    "Leadscore_Band__c",
    "Leadscore_Stage__c",
    "App_User_Id__c",
];
const KEPT_BY_SALESFORCE: [&str; 5] = ["Id", "SystemModstamp", "IsDeleted", "MasterRecordId", "IsConverted"];

pub(super) fn speak(data: &mut Data, method: &str, uri: &Uri, body: &Value) -> (u16, Value) {
    let Some(path) = uri.path().strip_prefix(ROOT) else {
        return (404, error("NOT_FOUND", "no such version"));
    };
    match (method, path) {
        ("GET", "/queryAll") => query(data, &parameter(uri, "q").unwrap_or_default(), 0),
        ("PATCH", "/composite/sobjects") => write(data, body, |data, record| {
            let id = record["id"].as_str()?;
            data.records.get(id).filter(|row| !row.deleted)?;
            Some((id.to_owned(), false))
        }),
        ("PATCH", "/composite/sobjects/Lead/Leadscore_Id__c") => write(data, body, |data, record| {
            let known = data.by_field("Leadscore_Id__c", &record["Leadscore_Id__c"]);
            let new = known.is_none();
            let whole = ["LastName", "Company"].iter().all(|name| record[*name].is_string());
            if new && (record.get("id").is_some() || !whole) {
                return None;
            }
            let id = known.unwrap_or_else(|| {
                let id = format!("00Q5g00000{:05}EAA", data.records.len());
                data.add(id.clone(), Map::new());
                id
            });
            Some((id, new))
        }),
        ("GET", path) => {
            let locator = path.strip_prefix("/query/").and_then(|locator| locator.split_once('-'));
            match locator {
                Some((from, soql)) => {
                    let bytes = URL_SAFE_NO_PAD.decode(soql).expect("a locator of ours");
                    query(data, &String::from_utf8_lossy(&bytes), from.parse().expect("a place"))
                }
                None => (404, error("NOT_FOUND", "no such locator")),
            }
        }
        _ => (404, error("NOT_FOUND", "The requested resource does not exist")),
    }
}

fn error(code: &str, message: &str) -> Value {
    json!([{"errorCode": code, "message": message}])
}

/// `SELECT … FROM Lead [WHERE SystemModstamp >= …] ORDER BY SystemModstamp, Id`, deleted ones included.
fn query(data: &Data, soql: &str, from: usize) -> (u16, Value) {
    let parts = soql.strip_prefix("SELECT ").and_then(|rest| rest.split_once(" FROM Lead"));
    let Some((fields, rest)) = parts.filter(|(_, rest)| rest.ends_with(" ORDER BY SystemModstamp, Id"))
    else {
        return (400, error("MALFORMED_QUERY", soql));
    };
    let fields: Vec<&str> = fields.split(", ").collect();
    if let Some(unknown) =
        fields.iter().find(|name| !FIELDS.contains(name) && !KEPT_BY_SALESFORCE.contains(name))
    {
        return (400, error("INVALID_FIELD", &format!("No such column '{unknown}' on entity 'Lead'")));
    }
    let since = rest.strip_prefix(" WHERE SystemModstamp >= ").map(|rest| {
        let text = rest.split(' ').next().expect("an instant");
        text.parse::<DateTime<Utc>>().expect("an instant")
    });
    let rows = data.since(since);
    let records: Vec<Value> =
        rows.iter().skip(from).take(PAGE).map(|(id, row)| lead(id, row, &fields)).collect();
    let mut page = json!({"totalSize": rows.len(), "done": true, "records": records});
    if from + PAGE < rows.len() {
        let locator = URL_SAFE_NO_PAD.encode(soql);
        page["done"] = json!(false);
        page["nextRecordsUrl"] = json!(format!("{ROOT}/query/{}-{locator}", from + PAGE));
    }
    (200, page)
}

fn lead(id: &str, row: &Row, fields: &[&str]) -> Value {
    let field = |name: &str| match name {
        "Id" => json!(id),
        // To the second, and with an offset that is not quite RFC 3339.
        "SystemModstamp" => json!(row.modified.format("%Y-%m-%dT%H:%M:%S.000+0000").to_string()),
        "IsDeleted" => json!(row.deleted),
        "MasterRecordId" => json!(row.master),
        "IsConverted" => json!(row.fields.get("IsConverted").is_some_and(|is| *is == true)),
        name => row.fields.get(name).cloned().unwrap_or_default(),
    };
    let mut lead = json!({"attributes": {"type": "Lead", "url": format!("{ROOT}/sobjects/Lead/{id}")}});
    for name in fields {
        lead[*name] = field(name);
    }
    lead
}

/// A collection: a list of results in the order of the records.
fn write(
    data: &mut Data,
    body: &Value,
    find: impl Fn(&mut Data, &Value) -> Option<(String, bool)>,
) -> (u16, Value) {
    let records = body["records"].as_array().expect("records");
    if records.len() > 200 || body["allOrNone"] != false {
        return (400, error("EXCEEDED_MAX_SIZE_REQUEST", "200 records at most"));
    }
    let refused = |code: &str| json!({"success": false, "errors": [{"statusCode": code, "message": code, "fields": []}]});
    let mut results = Vec::new();
    for record in records {
        let mut fields = record.as_object().expect("a record").clone();
        fields.remove("id");
        if fields.remove("attributes") != Some(json!({"type": "Lead"})) {
            return (400, error("INVALID_TYPE", "attributes"));
        }
        let fits = |(name, value): (&String, &Value)| {
            FIELDS.contains(&name.as_str()) && (name != "Leadscore_Score__c" || value.is_number())
        };
        results.push(match fields.iter().all(fits).then(|| find(data, record)) {
            None => refused("INVALID_FIELD_FOR_INSERT_UPDATE"),
            Some(None) => refused("REQUIRED_FIELD_MISSING"),
            Some(Some((id, created))) => {
                data.set(&id, fields);
                data.writes += 1;
                json!({"id": id, "success": true, "errors": [], "created": created})
            }
        });
    }
    (200, Value::Array(results))
}
