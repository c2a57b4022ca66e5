//! Webhooks of a service that is killed while it sends them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use leadscore::{
    feed::outbox::{Change, Kind, publish},
    platform::{
        clock::Clock,
        ids::{Ids, LeadId},
    },
};
use nix::sys::signal::Signal;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::runtime::Runtime;

use crate::{
    receiver::Receiver,
    scratch::{Scratch, wait_until},
    service::{ADMIN, KEYS, Service},
};

const LEADS: usize = 20;
const CHANGES: usize = 600;

/// Says, in a transaction each, that the leads' scores changed to 0, 1, 2 and so on.
async fn publish_changes(url: &str) {
    let ids = Ids::random(Clock::System);
    let leads: Vec<LeadId> = (0..LEADS).map(|_| LeadId(ids.next())).collect();
    let mut conn = PgConnection::connect(url).await.unwrap();
    for number in 0..CHANGES {
        let change = Change {
            lead_id: leads[number % LEADS],
            kind: Kind::ScoreChanged,
            at: Clock::System.now(),
            data: json!({ "to": number / LEADS }),
        };
        publish(&mut conn, &ids, &[change]).await.unwrap();
    }
    conn.close().await.unwrap();
}

/// The ids of the messages that came.
fn arrived(receiver: &Receiver) -> BTreeSet<String> {
    receiver.got().iter().map(|got| got.id().to_owned()).collect()
}

#[test]
fn every_change_arrives_under_its_id_and_in_its_leads_order_though_the_service_is_killed_twice() {
    let (server, scratch, runtime) = (Scratch::new(), Scratch::new(), Runtime::new().unwrap());
    let cluster = server.throwaway_cluster();
    let url = Arc::new(cluster.url("postgres"));
    let receiver = runtime.block_on(Receiver::start());
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("LEADSCORE_WEBHOOK_ALLOW", "127.0.0.1"),
        // What a killed one has begun is sent again after this and five seconds.
        ("LEADSCORE_WEBHOOK_TIMEOUT", "1"),
        // No proxy is asked, whatever the environment says.
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        KEYS[0],
        KEYS[1],
    ];
    let service = Service::start_with(&scratch, &settings);
    let endpoint = json!({ "url": receiver.url }).to_string();
    assert_eq!(service.call("POST", "/v1/webhooks", ADMIN, &endpoint).unwrap().status, 201);
    runtime.block_on(publish_changes(&url));

    let mut service = service;
    for enough in [CHANGES / 4, CHANGES / 2] {
        wait_until("some deliveries", || arrived(&receiver).len() >= enough);
        service.signal(Signal::SIGKILL);
        service.wait();
        assert!(arrived(&receiver).len() < CHANGES, "it was killed in the middle");
        service = Service::start_with(&scratch, &settings);
    }
    wait_until("every change to arrive", || arrived(&receiver).len() >= CHANGES);
    service.stop();

    let got = receiver.got();
    let mut bodies = BTreeMap::new();
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for message in &got {
        let first = bodies.insert(message.id(), &message.text);
        assert!(first.is_none_or(|first| *first == message.text), "a message always says the same");
        if first.is_none() {
            let data = message.data();
            let before = last.insert(data["lead_id"].to_string(), data["to"].as_i64().unwrap());
            assert_eq!(data["to"], before.map_or(0, |before| before + 1), "in order, and none left out");
        }
    }
    assert_eq!(bodies.len(), CHANGES);
    eprintln!("{} messages came for {CHANGES} changes", got.len());
    drop(receiver);
    cluster.stop().unwrap();
}
