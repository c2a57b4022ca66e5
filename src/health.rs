//! Asks whether the service on this machine is ready, for a container's health check. The image has no other program
//! that could ask.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, ensure};
use reqwest::{Client, StatusCode};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks `/readyz` of the service that listens on this address.
///
/// # Errors
/// If the service is not ready, or does not answer within four seconds.
pub async fn ask(listening: SocketAddr) -> anyhow::Result<()> {
    let address = reachable(listening);
    // This fails if another part of the process has chosen a provider. Then that provider is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The service speaks plain HTTP, so no certificates are needed.
    let client = Client::builder().no_proxy().timeout(PATIENCE).tls_certs_only([]).build()?;
    let answer = client.get(format!("http://{address}/readyz")).send().await;
    let status = answer.with_context(|| format!("no answer from {address}"))?.status();
    ensure!(status == StatusCode::OK, "not ready: {status}");
    Ok(())
}

/// Returns the address to call. A service that listens on all addresses is called on loopback.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}
