//! Whether the service on this machine is ready, as a container's health check asks: its image has no other
//! program to ask with.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, ensure};
use reqwest::{Client, StatusCode};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks `/readyz` of the service that listens on this address; an error if it is not ready.
pub async fn ask(listening: SocketAddr) -> anyhow::Result<()> {
    let address = reachable(listening);
    // Refused where another part of the process has chosen a provider; then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The service speaks plain HTTP, so no certificate is looked at.
    let client = Client::builder().no_proxy().timeout(PATIENCE).tls_certs_only([]).build()?;
    let answer = client.get(format!("http://{address}/readyz")).send().await;
    let status = answer.with_context(|| format!("no answer from {address}"))?.status();
    ensure!(status == StatusCode::OK, "not ready: {status}");
    Ok(())
}

/// Who listens on every address is reached at the loopback one.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}
