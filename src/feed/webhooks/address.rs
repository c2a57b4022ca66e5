//! Where deliveries may go: to the public internet, and to networks that the operator allows.
//!
//! A person who may make endpoints must not be able to reach networks that only this machine can reach. What counts is
//! the address to which the service connects. A name is looked up at each connection, and forbidden addresses are
//! removed from the answer before it is used. So it does not help to change what a name points to. An address in the
//! URL itself needs no look-up and is checked before each attempt. Redirects and proxies are not followed.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::{
    Url,
    dns::{Name, Resolve, Resolving},
};
use url::Host;

/// How long a URL may be, in bytes.
const LONGEST_URL: usize = 2_048;
/// The ports below 1024 at which web servers listen.
const LOW_PORTS: [u16; 2] = [80, 443];

/// The networks of IPv4 that do not belong to the public internet, by IANA's registry of special-purpose addresses.
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),       // this network
    v4([10, 0, 0, 0], 8),      // private
    v4([100, 64, 0, 0], 10),   // shared by carriers' customers
    v4([127, 0, 0, 0], 8),     // loopback
    v4([169, 254, 0, 0], 16),  // link-local, and the clouds' metadata
    v4([172, 16, 0, 0], 12),   // private
    v4([192, 0, 0, 0], 24),    // protocol assignments
    v4([192, 0, 2, 0], 24),    // documentation
    v4([192, 88, 99, 0], 24),  // 6to4 relays
    v4([192, 168, 0, 0], 16),  // private
    v4([198, 18, 0, 0], 15),   // benchmarks
    v4([198, 51, 100, 0], 24), // documentation
    v4([203, 0, 113, 0], 24),  // documentation
    v4([224, 0, 0, 0], 4),     // multicast
    v4([240, 0, 0, 0], 4),     // reserved, and broadcast
];

/// The part of IPv6 from which public addresses are given out. Outside of it are loopback, link-local, unique local and
/// multicast addresses, and the forms that contain an IPv4 address: mapped, compatible, NAT64.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// The networks within [`GLOBAL_V6`] that do not belong to the public internet.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0], 23),     // protocol assignments: Teredo, benchmarks, ORCHID
    v6([0x2001, 0xdb8, 0], 32), // documentation
    v6([0x2002, 0, 0], 16),     // 6to4
    v6([0x3fff, 0, 0], 20),     // documentation
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c]: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// The networks to which deliveries may go.
#[derive(Debug, Clone, Default)]
pub struct Reachable {
    /// Networks that the operator allows besides the public internet.
    pub allowed: Vec<IpNet>,
}

impl Reachable {
    /// Whether the service may connect to this address.
    pub fn permits(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|network| network.contains(&address))
    }

    /// Reads a URL to which deliveries may be sent. A name in the URL is not looked up here, but at each connection.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn parse(&self, text: &str) -> Result<Url, String> {
        if text.len() > LONGEST_URL {
            return Err(format!("write at most {LONGEST_URL} characters"));
        }
        let url = Url::parse(text)
            .map_err(|error| format!("write a URL such as https://crm.example/hook: {error}"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err("write a URL that begins with https:// or http://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "leave user and password out: receivers recognise the sender by the signature".to_owned()
            );
        }
        if url.fragment().is_some() {
            return Err("leave out the # and what follows it: that part is never sent".to_owned());
        }
        if !url.port_or_known_default().is_some_and(|port| port >= 1024 || LOW_PORTS.contains(&port)) {
            return Err("write port 80, 443, or one from 1024".to_owned());
        }
        self.check(&url)?;
        Ok(url)
    }

    /// Checks the address in a URL. A name passes.
    ///
    /// # Errors
    /// A sentence that says why the address may not be reached.
    pub fn check(&self, url: &Url) -> Result<(), String> {
        let literal = match url.host() {
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            None => return Err("write a URL with a host".to_owned()),
        };
        if self.permits(literal) { Ok(()) } else { Err(Unreachable::Address(literal).to_string()) }
    }
}

/// Whether an address belongs to the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// Why nothing may be sent.
#[derive(Debug)]
enum Unreachable {
    /// The address is not public.
    Address(IpAddr),
    /// The name points to no public address.
    Name(String),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreachable::Address(address) => write!(f, "{address} is not a public address")?,
            Unreachable::Name(name) => write!(f, "{name} points to no public address")?,
        }
        write!(f, "; the operator can allow other networks by LEADSCORE_WEBHOOK_ALLOW")
    }
}

impl std::error::Error for Unreachable {}

/// Looks names up and removes forbidden addresses from the answer.
pub(super) struct Guard<R> {
    pub(super) names: R,
    pub(super) reachable: Arc<Reachable>,
}

impl<R: Resolve> Resolve for Guard<R> {
    fn resolve(&self, name: Name) -> Resolving {
        let reachable = Arc::clone(&self.reachable);
        let asked = name.as_str().to_owned();
        let answer = self.names.resolve(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                answer.await?.filter(|address| reachable.permits(address.ip())).collect();
            if found.is_empty() {
                return Err(Unreachable::Name(asked).into());
            }
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// The machine's own look-up.
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}
