//! No delivery reaches an address that only this machine or its network reaches.

use serde_json::json;

use super::{create, lead, say};
use crate::harness::{Receiver, run};

/// Addresses of no use to the public, in every way of writing them.
const INSIDE: &str = "
    127.0.0.2 127.1.1 2130706434 0x7f000002 0x7f.2 017700000002 0177.0.0.02 127.0.0.2. 0 0.0.0.0
    %31%32%37.0.0.2 １２７.0.0.2 ①②⑦.0.0.2 127。0。0。2
    10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255 169.254.169.254 0xa9fea9fe
    192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
    224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    [::] [::1] [0:0:0:0:0:0:0:1] [::7f00:1] [::127.0.0.1] [::8.8.8.8]
    [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:8.8.8.8] [::ffff:0:8.8.8.8]
    [64:ff9b::8.8.8.8] [64:ff9b::7f00:1] [64:ff9b:1::1] [100::1] [5f00::1]
    [2001::1] [2001:0:7f00:1::] [2001:2::1] [2001:10::1] [2001:20::1] [2001:db8::1] [3fff::1]
    [2002:7f00:1::1] [2002:808:808::1] [fc00::1] [fd12:3456::1] [fe80::1] [fec0::1] [ff02::1]";

const OUTSIDE: &str = "1.1.1.1 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 192.0.1.1 198.17.0.1 198.20.0.1
    [2606:4700:4700::1111] [2001:4860:4860::8888] crm.example";

#[tokio::test]
async fn a_url_with_an_address_that_is_not_public_is_refused_however_it_is_written() {
    run(async |app| {
        for host in INSIDE.split_whitespace() {
            let answer = create(app, &json!({"url": format!("http://{host}/")})).await;
            assert_eq!(answer.status, 422, "{host}: {answer:?}");
            let message = answer.json()["message"].as_str().unwrap().to_owned();
            assert!(message.contains("is not a public address"), "{host}: {answer:?}");
        }
        for host in OUTSIDE.split_whitespace() {
            let body = json!({"url": format!("http://{host}/"), "enabled": false});
            assert_eq!(create(app, &body).await.status, 201, "{host}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_that_stands_for_this_machine_is_not_connected_to() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let port = receiver.url.split(':').nth(2).unwrap();
        let strict = app.instance_that_reaches_only_the_internet().await;
        let url = format!("http://localhost:{port}");
        let made = create(&strict, &json!({ "url": url })).await.json();
        let id = made["id"].as_str().unwrap();
        say(app, lead(1), 1).await;
        strict.run_due().await;

        let ping = strict.post(&format!("/v1/webhooks/{id}/ping"), "").await.json();

        assert_eq!(receiver.got(), []);
        let error = ping["attempts"][0]["error"].as_str().unwrap();
        assert!(error.contains("localhost points to no public address"), "{error}");
        assert!(error.contains("LEADSCORE_WEBHOOK_ALLOW"), "{error}");
        strict.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn what_the_operator_no_longer_allows_is_no_longer_reached() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let made = create(app, &json!({"url": receiver.url})).await.json();
        let strict = app.instance_that_reaches_only_the_internet().await;

        let ping =
            strict.post(&format!("/v1/webhooks/{}/ping", made["id"].as_str().unwrap()), "").await.json();

        assert_eq!(receiver.got(), []);
        let error = ping["attempts"][0]["error"].as_str().unwrap();
        assert!(error.contains("127.0.0.1 is not a public address"), "{error}");
        strict.app.shut_down().await;
    })
    .await;
}
