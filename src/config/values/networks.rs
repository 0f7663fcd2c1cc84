//! Addresses and networks of clients and proxies.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::parsed;
use crate::config::Must;

/// A trusted proxy: an address or a network.
#[derive(Clone, Copy, Debug)]
pub struct Proxy(IpNet);

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Proxy {
    pub(crate) fn is(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Larger than any network of one owner: the largest private ones are `10.0.0.0/8` and `fc00::/7`.
    pub(in crate::config) fn is_nearly_everybody(&self) -> bool {
        self.0.prefix_len() < if self.0.addr().is_ipv4() { 8 } else { 7 }
    }

    fn parse(text: &str) -> Option<Self> {
        let address = || text.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical()));
        let network: IpNet = text.parse().ok().or_else(address)?;
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8 (RFC 4291, 2.5.5.2): peers are compared as IPv4.
        let as_ipv4 = || {
            IpNet::new(network.addr().to_canonical(), network.prefix_len().checked_sub(96)?).ok()
        };
        if network.addr().is_ipv6() && network.addr().to_canonical().is_ipv4() {
            return as_ipv4().map(Self);
        }
        Some(Self(network))
    }
}

/// Networks with a factor for their rate limits: `{ "203.0.113.0/24" = 10 }`, or as text `203.0.113.0/24=10,
/// 2001:db8::/32=5`.
#[derive(Clone, Debug, Default)]
pub struct Allowances(Vec<(Proxy, i64)>);

impl Allowances {
    /// The factor of an address; 1 if it is in none of the networks.
    pub(in crate::config) fn of(&self, address: IpAddr) -> i64 {
        let theirs = self.0.iter().filter(|(network, _)| network.is(address));
        theirs.map(|(_, times)| *times).max().unwrap_or(1)
    }
}

impl<'de> Deserialize<'de> for Allowances {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Said {
            Text(String),
            Table(BTreeMap<String, i64>),
        }
        let refused = || D::Error::custom(Must::Allowances);
        let pairs: Option<Vec<(String, i64)>> =
            match Said::deserialize(value).map_err(|_| refused())? {
                Said::Table(table) => Some(table.into_iter().collect()),
                Said::Text(text) => text
                    .split(',')
                    .map(|pair| {
                        let (network, times) = pair.split_once('=')?;
                        Some((network.trim().to_owned(), times.trim().parse().ok()?))
                    })
                    .collect(),
            };
        let allowance = |(network, times): (String, i64)| {
            let times = Some(times).filter(|times| (1..=1_000_000).contains(times))?;
            Some((Proxy::parse(&network)?, times))
        };
        let all = pairs.and_then(|pairs| pairs.into_iter().map(allowance).collect());
        all.map(Self).ok_or_else(refused)
    }
}

impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::Proxies, Self::parse)
    }
}
