//! Whether the service on this machine is ready, as a container's health check asks: its image has no other
//! program to ask with.

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, ensure};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks `/readyz` of the service that listens on this address; an error if it is not ready.
pub fn ask(listening: SocketAddr) -> anyhow::Result<()> {
    let address = reachable(listening);
    let failed = || format!("no answer from {address}");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(failed)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .with_context(failed)?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).with_context(failed)?;
    ensure!(status.starts_with("HTTP/1.1 200 "), "not ready: {}", status.trim_end());
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
