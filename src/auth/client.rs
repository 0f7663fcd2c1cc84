//! The client of a request: its IP address, its browser, and the accounts that this browser has opened before.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{KnownDevice, is_unseen};

/// The other end of a request.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The client IP as the trusted proxies report it.
    pub(crate) address: IpAddr,
    /// Whether unrelated clients may share the address: it belongs to a proxy that is not configured as trusted.
    pub(crate) is_shared: bool,
    /// The multiple of the usual rate limits that this address gets.
    pub(crate) allowance: i64,
    /// The `User-Agent` header; at most 256 characters, without characters that cannot be seen.
    pub(crate) user_agent: String,
    /// The accounts that this browser has opened before.
    pub(crate) devices: Vec<KnownDevice>,
}

impl Client {
    /// Truncates and cleans the user agent: it comes from strangers, and is shown to others and in the log, where
    /// some viewers begin a line at U+2028.
    pub(crate) fn new(address: IpAddr, user_agent: &str) -> Self {
        let is_kept = |c: &char| *c == ' ' || !is_unseen(*c);
        let user_agent = user_agent.chars().filter(is_kept).take(256).collect();
        let address = canonical(address);
        Self { address, is_shared: false, allowance: 1, user_agent, devices: Vec::new() }
    }

    /// The client of a change that the operator or the host app makes.
    pub(crate) fn operator() -> Self {
        Self::new(Ipv6Addr::UNSPECIFIED.into(), "")
    }

    /// The [`ip_prefix`] of the client; `None` if the address does not tell one client from another.
    pub(in crate::auth) fn ip_prefix(&self) -> Option<IpAddr> {
        (!self.is_shared).then(|| ip_prefix(self.address))
    }

    /// The [`ip_site`] of the client; `None` if the address does not tell one client from another.
    pub(in crate::auth) fn ip_site(&self) -> Option<IpAddr> {
        (!self.is_shared).then(|| ip_site(self.address))
    }
}

/// The address, as IPv4 if it is an IPv4 address in IPv6 (`::ffff:0:0/96`), or one that a network without IPv4 has
/// translated (`64:ff9b::/96`, RFC 6052): otherwise all of IPv4 would be one customer. Private addresses are never
/// translated.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    const TRANSLATED: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];
    match address.to_canonical() {
        IpAddr::V6(v6) if v6.segments().starts_with(&TRANSLATED) => {
            let [.., a, b, c, d] = v6.octets();
            let v4 = Ipv4Addr::from([a, b, c, d]);
            let is_global = !v4.is_private() && !v4.is_loopback() && !v4.is_link_local();
            if is_global { v4.into() } else { v6.into() }
        }
        address => address,
    }
}

/// The IP prefix that rate limits count as one client: an IPv4 address, or the /64 of an IPv6 customer.
fn ip_prefix(address: IpAddr) -> IpAddr {
    cut(address, 64)
}

/// The site of an IP address: an IPv6 customer may have a /48 (RFC 6177), and use each /64 in it as another client.
/// An IPv4 address is a site of its own.
pub(crate) fn ip_site(address: IpAddr) -> IpAddr {
    cut(address, 48)
}

fn cut(address: IpAddr, bits: u32) -> IpAddr {
    let others = 128 - bits;
    match canonical(address) {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> others << others).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promise 29.
    #[test]
    fn an_ipv6_customer_counts_as_one() {
        let network =
            |text: &str| Client::new(text.parse().unwrap(), "").ip_prefix().unwrap().to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
        assert_eq!(network("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(network("64:ff9b::203.0.113.7"), "203.0.113.7");
        assert_eq!(network("64:ff9b::10.0.0.1"), "64:ff9b::");
    }

    #[test]
    fn the_owner_of_many_networks_is_one_site() {
        let site =
            |text: &str| Client::new(text.parse().unwrap(), "").ip_site().unwrap().to_string();
        assert_eq!(site("2001:db8:1:2:3:4:5:6"), "2001:db8:1::");
        assert_eq!(site("203.0.113.7"), "203.0.113.7");
    }

    /// Promise 38.
    #[test]
    fn a_user_agent_is_cut_and_cleaned() {
        let agent = format!("a\u{1b}[31m\0\u{2028}\u{202e}\u{200b}{}", "é".repeat(300));
        let client = Client::new(IpAddr::from([127, 0, 0, 1]), &agent);
        assert!(client.user_agent.starts_with("a[31mé"));
        assert_eq!(client.user_agent.chars().count(), 256);
    }
}
