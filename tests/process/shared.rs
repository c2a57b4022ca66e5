//! With `DATABASE_URL`: on a database server that others look after.

use crate::{
    scratch::{Scratch, count},
    service::{ADMIN, KEYS, Service},
};

fn settings(url: &str) -> [(&str, &str); 3] {
    [("DATABASE_URL", url), KEYS[0], KEYS[1]]
}

#[test]
fn a_service_with_a_database_of_others_starts_no_postgres() {
    let (server, scratch) = (Scratch::new(), Scratch::new());
    let cluster = server.throwaway_cluster();
    let url = cluster.url("postgres");

    let service = Service::start_with(&scratch, &settings(&url));

    assert_eq!(service.send("1").unwrap(), (200, 1));
    assert_eq!(count(&url, "select count(*) from event"), 1);
    assert!(!scratch.data().exists());
    assert_eq!(scratch.processes(), [0; 0]);
    service.stop();
    assert_eq!(count(&url, "select count(*) from event"), 1, "and it leaves that one running");
    cluster.stop().unwrap();
}

#[test]
fn two_services_on_one_database_see_each_others_events() {
    let (server, scratch) = (Scratch::new(), Scratch::new());
    let cluster = server.throwaway_cluster();
    let url = cluster.url("postgres");
    // Both at once, so that both find an empty database.
    let start = || Service::start_with(&scratch, &settings(&url));
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(start);
        let other = scope.spawn(start);
        (one.join().unwrap(), other.join().unwrap())
    });

    assert_eq!(one.send("1").unwrap(), (200, 1));
    assert_eq!(other.send("2").unwrap(), (200, 1));
    assert_eq!(other.send("1").unwrap(), (200, 0), "the other knows it already");

    let (seen, too) = (one.get("/v1/leads?sort=created_at"), other.get("/v1/leads?sort=created_at"));
    assert_eq!(seen.body["data"].as_array().map(Vec::len), Some(2), "{seen:?}");
    assert_eq!(seen.body, too.body);
    assert_eq!(one.status_for(ADMIN), 200);
    one.stop();
    assert_eq!(other.send("3").unwrap(), (200, 1), "one goes on without the other");
    other.stop();
    cluster.stop().unwrap();
}
