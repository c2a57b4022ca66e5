//! Stopping: what has begun is finished, and nothing is left.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use nix::sys::signal::Signal;

use crate::{
    http,
    scratch::{Scratch, wait_until},
    service::{KEYS, Service, WRITE, event, send_event},
};

/// A request of which the service has read the head and awaits the body.
fn begin(service: &Service, body: &str) -> TcpStream {
    let mut stream = http::connect(service.address).unwrap();
    let request = http::request("POST", "/v1/events", WRITE, body);
    let head = request.strip_suffix(body).unwrap();
    let head = head.replacen("Connection: close", "Connection: close\r\nExpect: 100-continue", 1);
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

fn refuses_connections(service: &Service) -> bool {
    TcpStream::connect(service.address).is_err()
}

#[test]
fn sigterm_and_sigint_answer_what_is_under_way_and_leave_nothing() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let scratch = Scratch::new();
        let service = Service::start(&scratch);
        let body = event("1").to_string();
        let mut under_way = begin(&service, &body);
        let idle = http::connect(service.address).unwrap();

        service.signal(signal);
        wait_until("it to take no new connection", || refuses_connections(&service));
        under_way.write_all(body.as_bytes()).unwrap();
        let answer = http::read_answer(&mut under_way).unwrap();

        assert_eq!((answer.status, &answer.body["accepted"]), (200, &1.into()), "{answer:?}");
        let (status, _) = service.wait();
        assert_eq!(status.code(), Some(0));
        scratch.wait_until_nothing_runs();
        assert!(!scratch.data().join("pg/data/postmaster.pid").exists());
        drop(idle);

        let service = Service::start(&scratch);
        assert_eq!(service.send("1").unwrap(), (200, 0), "it is in the log already");
        service.stop();
    }
}

#[test]
fn a_second_signal_stops_at_once() {
    for name in ["LEADSCORE_STOP_DELAY", "LEADSCORE_STOP_TIMEOUT"] {
        let scratch = Scratch::new();
        // Without the second signal it would not stop in the time of any test.
        let service = Service::start_with(&scratch, &[KEYS[0], KEYS[1], (name, "600")]);
        let under_way = begin(&service, &event("1").to_string());
        service.signal(Signal::SIGTERM);
        wait_until("it to be unready", || !is_ready(service.address));

        service.signal(Signal::SIGTERM);
        if name == "LEADSCORE_STOP_DELAY" {
            // The first of the two has only cut the delay short.
            wait_until("it to take no new connection", || refuses_connections(&service));
            service.signal(Signal::SIGTERM);
        }
        let (status, log) = service.wait();

        assert_eq!(status.code(), Some(0), "{name}");
        assert!(
            !log.iter().any(|line| line.contains("ERROR")),
            "that it is not ready any more is no failure: {log:#?}"
        );
        scratch.wait_until_nothing_runs();
        drop(under_way);
    }
}

#[test]
fn a_client_that_never_finishes_its_request_holds_up_a_stop_no_longer_than_the_setting() {
    let scratch = Scratch::new();
    let mut service = Service::start_with(&scratch, &[KEYS[0], KEYS[1], ("LEADSCORE_STOP_TIMEOUT", "1")]);
    let mut under_way = begin(&service, &" ".repeat(1_000_000));

    service.signal(Signal::SIGTERM);
    wait_until("the service to end", || {
        // One byte of blank space at a time: never silent, never done.
        let _ = under_way.write_all(b" ");
        service.ended().is_some()
    });

    assert_eq!(service.wait().0.code(), Some(0));
}

/// Whether a service says that requests may be sent to it.
fn is_ready(address: SocketAddr) -> bool {
    let ask = "GET /readyz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    http::call(address, ask).is_ok_and(|answer| answer.status == 200)
}

/// Sends events as a balancer does: to the first instance that said it was ready, which is asked again every ten requests.
/// How many were sent.
fn roll(instances: [SocketAddr; 2], until: impl Fn() -> bool) -> usize {
    let (mut sent, mut to) = (0, instances[0]);
    while !until() {
        if sent % 10 == 0 {
            to = *instances.iter().find(|address| is_ready(**address)).expect("one of the two is ready");
        }
        let answer = send_event(to, &format!("{:?}-{sent}", thread::current().id()));
        assert_eq!(answer.expect("no request is refused or cut off"), (200, 1));
        sent += 1;
    }
    sent
}

#[test]
fn a_rolling_restart_fails_no_request() {
    let (server, scratch) = (Scratch::new(), Scratch::new());
    let cluster = server.throwaway_cluster();
    let url = cluster.url("postgres");
    let settings = [("DATABASE_URL", url.as_str()), KEYS[0], KEYS[1], ("LEADSCORE_STOP_DELAY", "3")];
    let [old, new] = [0; 2].map(|_| Service::start_with(&scratch, &settings));
    let instances = [old.address, new.address];
    let over = AtomicBool::new(false);

    thread::scope(|scope| {
        let clients = [0; 4].map(|_| scope.spawn(|| roll(instances, || over.load(Ordering::Relaxed))));
        wait_until("some requests", || count_of(&old) >= 40);
        old.signal(Signal::SIGTERM);
        let (status, _) = old.wait();
        over.store(true, Ordering::Relaxed);
        assert_eq!(status.code(), Some(0));
        let sent: usize = clients.map(|client| client.join().expect("no request failed")).iter().sum();
        eprintln!("{sent} requests, and none failed");
    });
    new.stop();
    cluster.stop().unwrap();
}

/// How many leads a service has heard of, up to a page.
fn count_of(service: &Service) -> usize {
    service.get("/v1/leads?limit=100").body["data"].as_array().map_or(0, Vec::len)
}
