//! Questions: about the scores of a lead, about all leads, and lists by a query.

use base64::{Engine, engine::general_purpose::STANDARD};
use leadscore::http::body::LARGEST_BODY;
use serde_json::json;

use super::{
    Ground, QUERY, Worst,
    filling::{array, filled},
};

impl Ground {
    pub(super) fn scores(&self) -> Vec<Worst> {
        let (lead, model) = (&self.lead, &self.model);
        let supposed = array(1_000, |n| {
            let event =
                json!({"id": format!("s{n}"), "type": "page_viewed", "properties": {"many": vec![0; 4_900]}});
            event.to_string()
        });
        let evaluated = filled(
            &format!(r#"{{"model":"{model}","events":["#),
            |n| {
                format!(
                    r#"{{"id":"e{n}","type":"page_viewed","occurred_at":"2026-01-01T00:00:00Z","properties":{{"a":0}}}}"#
                )
            },
            "]}",
            LARGEST_BODY,
        );
        vec![
            Worst::post("evaluate: 90 000 events", "/v1/models/evaluate", evaluated),
            Worst::post(
                "what-if: 1 000 events",
                &format!("/v1/leads/{lead}/score/what-if"),
                format!(r#"{{"events":{supposed}}}"#),
            ),
            Worst::get("receipt of a long log", format!("/v1/leads/{lead}/score")),
            Worst::get("series of a long log", format!("/v1/leads/{lead}/score/series?step=2h")),
            Worst::post("preview of all leads", &format!("/v1/models/{model}/preview"), "{}"),
            Worst::get("compare of all leads", format!("/v1/models/compare?b={model}")),
        ]
    }

    pub(super) fn queries(&self) -> Vec<Worst> {
        let words = filled("", |n| format!("w{n}"), "", QUERY).replace(',', "+");
        let puny = format!("xn--{}", "a".repeat(QUERY));
        let names = filled("", |n| format!("n{n}"), "", QUERY).replace(',', "&");
        let repeated = filled("", |_| "band=a".to_owned(), "", QUERY).replace(',', "&");
        let values = filled("", |_| "a".to_owned(), "", QUERY);
        vec![
            Worst::get("q: 10 000 words", format!("/v1/leads?q={words}")),
            Worst::get("q: a domain in Punycode", format!("/v1/leads?q={puny}")),
            Worst::get("query: 10 000 parameters", format!("/v1/leads?{names}")),
            Worst::get("query: a parameter 8 000 times", format!("/v1/leads?{repeated}")),
            Worst::get("query: 30 000 values of a filter", format!("/v1/leads?band={values}")),
            Worst::get(
                "query: a cursor",
                format!("/v1/leads?cursor={}", STANDARD.encode(vec![b'['; QUERY / 2])),
            ),
            Worst::get("path: a long address", format!("/v1/leads/by/email/{}@b.example", "a".repeat(QUERY))),
            Worst::get("user agent of 60 KiB", "/v1/leads").with("user-agent", "a".repeat(QUERY)),
            Worst::get("list: 500 leads with many attributes", "/v1/leads?limit=500"),
            Worst::get("list: 500 events", format!("/v1/leads/{}/timeline?limit=500", self.lead)),
        ]
    }
}
