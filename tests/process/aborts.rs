//! Clients that go away in the middle of a request.

use std::{
    collections::BTreeSet,
    io::Write,
    net::{Shutdown, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::{
    http,
    scratch::{Scratch, count, wait_until},
    service::{ADMIN, Service, WRITE, event, send_event},
};

const CLIENTS: usize = 4;
/// How many sessions are in a transaction and do nothing.
const OPEN: &str = "select count(*) from pg_stat_activity where state like 'idle in transaction%'";
/// After each round everybody is quiet, so that a transaction that was left open is seen: the next request on its
/// connection would end it.
const ROUNDS: usize = 25;
/// How many requests each client aborts in a round.
const ABORTS: usize = 20;
/// How soon every transaction has to end: before the database itself ends those that were forgotten.
const QUIET: Duration = Duration::from_secs(10);

/// One client's round of aborted requests, among which are some whose answer counts; the ids acknowledged.
fn abort_and_send(address: SocketAddr, round: usize, client: usize) -> BTreeSet<String> {
    let mut random = StdRng::seed_from_u64((round * CLIENTS + client) as u64);
    let mut acknowledged = BTreeSet::new();
    for number in 0..ABORTS {
        let id = format!("{round}-{client}-{number}");
        if number % 4 == 0 {
            assert_eq!(send_event(address, &id).expect("an answer"), (200, 1));
            acknowledged.insert(id.clone());
        }
        abort(address, &request(&mut random, &format!("aborted-{id}")), &mut random);
    }
    acknowledged
}

/// A request that writes: mostly an event, which may be of a lead that others write as well; sometimes a key.
fn request(random: &mut StdRng, id: &str) -> String {
    match random.random_range(0..8) {
        0 => http::request("POST", "/v1/keys", ADMIN, &json!({ "name": id, "scopes": ["read"] }).to_string()),
        1 => http::request("GET", "/v1/leads?limit=5", ADMIN, ""),
        2 => {
            let shared = json!({ "id": id, "type": "page_viewed", "lead": { "user_id": "everybody's" } });
            http::request("POST", "/v1/events", WRITE, &shared.to_string())
        }
        _ => http::request("POST", "/v1/events", WRITE, &event(id).to_string()),
    }
}

/// Sends a part of the request, or all of it, and closes at once or within a millisecond or two.
fn abort(address: SocketAddr, request: &str, random: &mut StdRng) {
    let mut stream = http::connect(address).expect("a connection");
    let whole = random.random_bool(0.8);
    let length = if whole { request.len() } else { random.random_range(0..request.len()) };
    stream.write_all(&request.as_bytes()[..length]).expect("room for a small request");
    let pause = Duration::from_micros(random.random_range(0..2_000));
    let began = Instant::now();
    while began.elapsed() < pause {
        thread::yield_now();
    }
    // The moment of going away is what is tested; that the other side closed first does not matter.
    let _ = stream.shutdown(Shutdown::Both);
}

#[test]
fn clients_that_go_away_take_no_acknowledged_event_with_them_and_leave_no_transaction_open() {
    let (server, scratch) = (Scratch::new(), Scratch::new());
    let cluster = server.throwaway_cluster();
    let url = cluster.url("postgres");
    let [admin, write] = crate::service::KEYS;
    // Few connections, so that the next request meets what an aborted one has left.
    let few = [("LEADSCORE_CONNECTIONS", "2"), ("LEADSCORE_WRITERS", "2")];
    let service = Service::start_with(&scratch, &[("DATABASE_URL", &url), admin, write, few[0], few[1]]);
    let address = service.address;

    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        acknowledged.extend(thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| scope.spawn(move || abort_and_send(address, round, client)))
                .collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
        }));
        let quiet = Instant::now();
        wait_until("every transaction to end", || count(&url, OPEN) == 0);
        assert!(quiet.elapsed() < QUIET, "a transaction was left open in round {round}");
    }
    assert_eq!(acknowledged.len(), ROUNDS * CLIENTS * ABORTS / 4);
    let kept = count(&url, "select count(*) from event where id not like 'aborted-%'");
    assert_eq!(usize::try_from(kept).unwrap(), acknowledged.len(), "what was acknowledged is in the log");
    assert!(
        count(&url, "select count(*) from event where id like 'aborted-%'") > 0,
        "aborted ones arrive too"
    );
    assert_eq!(service.send("last").unwrap(), (200, 1));
    assert_eq!(service.get("/v1/leads").status, 200);
    service.stop();
    assert_eq!(count(&url, "select count(*) from event where id = 'last'"), 1);
    cluster.stop().unwrap();
}
