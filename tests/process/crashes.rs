//! Being killed: the service, its Postgres, and both.

use std::{collections::BTreeSet, thread};

use nix::sys::signal::Signal;

use crate::{
    scratch::{Scratch, count, send, wait_for, wait_until},
    service::{Service, send_event},
};

/// How many clients send at the same time.
const CLIENTS: usize = 4;

/// Sends events, one a request, from several threads until the service answers no more; what was acknowledged.
fn send_until_it_ends(service: &Service, run: usize, enough: impl FnOnce()) -> BTreeSet<String> {
    let address = service.address;
    let (tell, told) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let tell = tell.clone();
            scope.spawn(move || {
                for number in 0.. {
                    let id = format!("{run}-{client}-{number}");
                    match send_event(address, &id) {
                        Ok((200, 1)) => tell.send(id).unwrap(),
                        Ok(other) => panic!("an event was answered {other:?}"),
                        Err(_) => return,
                    }
                }
            });
        }
        drop(tell);
        let mut acknowledged: BTreeSet<String> = told.iter().take(100).collect();
        enough();
        acknowledged.extend(told);
        acknowledged
    })
}

#[test]
fn every_acknowledged_event_is_there_after_the_service_was_killed() {
    let scratch = Scratch::new();
    let mut acknowledged = BTreeSet::new();
    for run in 0..2 {
        let service = Service::start(&scratch);
        acknowledged.extend(send_until_it_ends(&service, run, || service.signal(Signal::SIGKILL)));
        service.wait();
    }
    assert!(acknowledged.len() >= 200);

    let service = Service::start(&scratch);

    for id in &acknowledged {
        assert_eq!(service.send(id).unwrap(), (200, 0), "{id} was acknowledged and is a repetition");
    }
    let events = usize::try_from(scratch.count("select count(*) from event")).unwrap();
    // A client whose answer was cut off may find its event in the log all the same.
    assert!((acknowledged.len()..=acknowledged.len() + 2 * CLIENTS).contains(&events), "{events} events");
    service.stop();
}

#[test]
fn every_acknowledged_event_is_there_after_the_service_and_its_postgres_were_killed() {
    let scratch = Scratch::new();
    let service = Service::start(&scratch);
    let postmaster = scratch.postmaster();
    let acknowledged = send_until_it_ends(&service, 0, || {
        service.signal(Signal::SIGKILL);
        send(postmaster, Signal::SIGKILL);
    });
    service.wait();

    let service = Service::start(&scratch);

    for id in &acknowledged {
        assert_eq!(service.send(id).unwrap(), (200, 0), "{id} was acknowledged and is a repetition");
    }
    service.stop();
}

#[test]
fn a_service_whose_own_postgres_is_killed_answers_503_and_brings_it_up_again() {
    let scratch = Scratch::new();
    let mut service = Service::start(&scratch);
    assert_eq!(service.send("1").unwrap(), (200, 1));
    let postmaster = scratch.postmaster();

    send(postmaster, Signal::SIGKILL);
    let mut statuses = BTreeSet::new();
    wait_until("an event to be accepted again", || {
        let (status, _) = service.send("2").expect("an answer, whatever it is");
        statuses.insert(status);
        statuses.insert(service.get("/v1/leads").status);
        service.ended().is_none() && status == 200 && scratch.postmaster() != postmaster
    });

    assert!(statuses.is_subset(&BTreeSet::from([200, 503])), "{statuses:?}");
    assert_eq!(service.get("/readyz").status, 200);
    assert_eq!(service.send("1").unwrap(), (200, 0), "what was acknowledged is there");
    service.stop();
    scratch.wait_until_nothing_runs();
}

#[test]
fn a_service_whose_database_server_is_gone_is_not_ready_and_recovers_with_it() {
    let (server, scratch) = (Scratch::new(), Scratch::new());
    let cluster = server.cluster();
    let url = cluster.url("postgres");
    let [admin, write] = crate::service::KEYS;
    let service = Service::start_with(&scratch, &[("DATABASE_URL", &url), admin, write]);
    assert_eq!(service.send("1").unwrap(), (200, 1));

    send(server.postmaster(), Signal::SIGKILL);
    drop(cluster);
    let not_ready =
        wait_for("it to be not ready", || Some(service.get("/readyz")).filter(|a| a.status != 200));
    let refused = service.send("2").unwrap();

    assert_eq!(
        (not_ready.status, not_ready.body["code"].as_str()),
        (503, Some("overloaded")),
        "{not_ready:?}"
    );
    assert_eq!(refused, (503, 0));
    assert_eq!(service.get("/livez").status, 200, "a restart of the service would not help");

    let cluster = server.cluster();
    wait_until("it to be ready again", || service.get("/readyz").status == 200);
    assert_eq!(service.send("2").unwrap(), (200, 1));
    service.stop();
    assert_eq!(count(&url, "select count(*) from event"), 2);
    cluster.stop().unwrap();
}
