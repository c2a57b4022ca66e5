//! Stopping: what has begun is finished, and nothing is left.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    http,
    scratch::{Scratch, wait_until},
    service::{Service, WRITE, event},
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
    let scratch = Scratch::new();
    let service = Service::start(&scratch);
    let under_way = begin(&service, &event("1").to_string());
    service.signal(Signal::SIGTERM);
    wait_until("it to take no new connection", || refuses_connections(&service));

    let began = Instant::now();
    service.signal(Signal::SIGTERM);
    let (status, _) = service.wait();

    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert_eq!(status.code(), Some(0));
    scratch.wait_until_nothing_runs();
    drop(under_way);
}

#[test]
#[ignore = "it takes half a minute: cargo test --test process -- --ignored a_client_that_never"]
fn a_client_that_never_finishes_its_request_holds_up_a_stop_for_half_a_minute_at_most() {
    let scratch = Scratch::new();
    let service = Service::start(&scratch);
    let mut under_way = begin(&service, &" ".repeat(1_000_000));

    let began = Instant::now();
    service.signal(Signal::SIGTERM);
    let mut service = service;
    wait_until("the service to end", || {
        // One byte of blank space at a time: never silent, never done.
        let _ = under_way.write_all(b" ");
        service.ended().is_some()
    });

    let took = began.elapsed();
    assert!(took > Duration::from_secs(20) && took < Duration::from_secs(35), "it took {took:?}");
    assert_eq!(service.wait().0.code(), Some(0));
}
