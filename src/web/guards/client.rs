//! The client IP, behind proxies.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use log::warn;
use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use crate::auth::{Auth, Client, canonical};
use crate::config::Config;
use crate::seldom::Seldom;
use crate::web::session;

/// The requests of trusted proxies that do not report the client IP.
#[derive(Default)]
pub(crate) struct SilentProxies(Seldom);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Client {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let (client, is_reported) = client_of(request);
        if let (false, Some(SilentProxies(seldom))) = (is_reported, request.rocket().state()) {
            let proxy = client.address;
            seldom.note(|times| {
                warn!(
                    "the trusted proxy {proxy} does not say whom it sends {times} requests for: all who come by it share \
                     one limit. Let it add the header of the setting client_ip_header"
                );
            });
        }
        Outcome::Success(client)
    }
}

/// The client of a request, and `false` if a trusted proxy does not report it.
pub(in crate::web) fn client_of(request: &Request<'_>) -> (Client, bool) {
    // Only local test clients have no peer.
    let peer = request.remote().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip());
    let agent = request.headers().get_one("User-Agent").unwrap_or_default();
    let Some(config) = request.rocket().state::<Auth>().map(Auth::config) else {
        return (Client::new(peer, agent), true);
    };
    let said: Vec<&str> = request.headers().get(&config.client_ip_header).collect();
    let is_reported = !config.is_proxy(peer) || last_hop(&said).is_some();
    let mut client = Client::new(address(peer, &said, config), agent);
    client.is_shared = is_shared(peer, &said, client.address, config);
    client.allowance = config.allowance(client.address, client.is_shared);
    client.devices = session::read_devices(request, config);
    (client, is_reported)
}

/// The client IP: the peer's, unless that is a trusted proxy; then the right-most address in the header that is not
/// (each proxy adds its peer on the right, and whatever is further left may be forged).
pub(crate) fn address(peer: IpAddr, said: &[&str], config: &Config) -> IpAddr {
    let mut client = canonical(peer);
    for hop in said.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !config.is_proxy(client) {
            break;
        }
        let Some(ip) = parse(hop.trim()) else { break };
        client = ip;
    }
    client
}

/// Whether unrelated clients may share this address: it belongs to an unknown proxy, or to a trusted one that does
/// not report the client IP.
fn is_shared(peer: IpAddr, said: &[&str], client: IpAddr, config: &Config) -> bool {
    if config.is_proxy(peer) && last_hop(said).is_none() {
        return true;
    }
    if !config.is_public() || !is_internal(client) {
        return false;
    }
    let passes_on_for_others = !config.is_proxy(peer) && !said.is_empty();
    config.trusted_proxies.is_empty() || config.is_proxy(client) || passes_on_for_others
}

/// The address that the nearest proxy has added, if it can be read.
fn last_hop(said: &[&str]) -> Option<IpAddr> {
    said.last().and_then(|line| line.rsplit(',').next()).and_then(|hop| parse(hop.trim()))
}

/// Parses an address as proxies write it: bare, in brackets, with or without a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let ip = bare.parse().ok().or_else(|| hop.parse().ok().map(|hop: SocketAddr| hop.ip()))?;
    Some(canonical(ip))
}

/// Whether a proxy says that it forwarded this request.
pub(in crate::web) fn came_by_proxy(request: &Request<'_>) -> bool {
    let headers = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"];
    headers.iter().any(|name| request.headers().contains(name))
}

/// An unknown proxy may have such an address, so it may stand for anybody: loopback, private, or shared
/// (100.64.0.0/10, RFC 6598), which some clusters use.
pub(crate) fn is_internal(address: IpAddr) -> bool {
    let is_shared_space = match address {
        IpAddr::V4(ip) => ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64,
        IpAddr::V6(_) => false,
    };
    is_private(address) || is_shared_space
}

/// A loopback or private address.
pub(in crate::web) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::Serialized;
    use proptest::prelude::*;

    use super::*;

    fn seen(proxies: &[&str], peer: &str, said: &[&str]) -> String {
        let figment = Figment::from(Serialized::default("trusted_proxies", proxies));
        let config: Config = figment.extract().unwrap();
        address(peer.parse().unwrap(), said, &config).to_string()
    }

    /// Promise 30.
    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(seen(&[], "198.51.100.1", &["203.0.113.7"]), "198.51.100.1");
        assert_eq!(seen(&["10.0.0.0/8"], "198.51.100.1", &["203.0.113.7"]), "198.51.100.1");
        assert_eq!(seen(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen(&["10.0.0.1"], "10.0.0.2", &["203.0.113.7"]), "10.0.0.2");
    }

    /// Promise 30.
    #[test]
    fn the_right_most_hop_that_is_not_trusted_is_the_client() {
        let proxies = ["10.0.0.0/8", "2001:db8::/32"];
        for (said, client) in [
            (&["203.0.113.7"][..], "203.0.113.7"),
            (&["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
            (&["6.6.6.6, 203.0.113.7, 10.1.1.1"], "203.0.113.7"),
            (&["6.6.6.6", "203.0.113.7, 10.1.1.1", "10.2.2.2"], "203.0.113.7"),
            (&["10.3.3.3, 10.1.1.1"], "10.3.3.3"),
            (&["203.0.113.7:4711"], "203.0.113.7"),
            (&["[2001:470::1]:4711"], "2001:470::1"),
            (&["[2001:470::1]"], "2001:470::1"),
            (&["2001:470::1, 2001:db8::5"], "2001:470::1"),
            (&["::ffff:203.0.113.7"], "203.0.113.7"),
            (&["64:ff9b::203.0.113.7"], "203.0.113.7"),
            // Something unreadable ends the search at the proxy that added it.
            (&["6.6.6.6, nonsense"], "10.0.0.1"),
            (&["6.6.6.6, nonsense, 10.1.1.1"], "10.1.1.1"),
            (&[""], "10.0.0.1"),
        ] {
            assert_eq!(seen(&proxies, "10.0.0.1", said), client, "{said:?}");
        }
        assert_eq!(seen(&proxies, "::ffff:10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
    }

    /// Promise 30: behind a proxy that does not tell its clients apart, all of them have one generous limit.
    #[test]
    fn clients_share_the_address_of_a_proxy_that_does_not_report_them() {
        for (proxies, peer, said, shared) in [
            (&[][..], "10.0.0.1", &[][..], true),
            (&[], "203.0.113.7", &[], false),
            (&["10.0.0.1"], "10.0.0.1", &[], true),
            (&["203.0.113.1"], "203.0.113.1", &[], true),
            (&["203.0.113.1"], "203.0.113.1", &["203.0.113.9, unknown"], true),
            (&["10.0.0.1"], "10.0.0.1", &["203.0.113.7"], false),
            // A client in the same network, behind the known proxy or without one.
            (&["10.0.0.1"], "10.0.0.1", &["10.0.0.7"], false),
            (&["10.0.0.1"], "10.0.0.7", &[], false),
            (&["10.0.0.1"], "10.0.0.2", &["203.0.113.7"], true),
        ] {
            let figment = Figment::from(Serialized::default("trusted_proxies", proxies))
                .merge(Serialized::default("public_url", "https://accounts.example.com"));
            let config: Config = figment.extract().unwrap();
            let peer: IpAddr = peer.parse().unwrap();
            let client = address(peer, said, &config);
            assert_eq!(
                is_shared(peer, said, client, &config),
                shared,
                "{proxies:?} {peer} {said:?}"
            );
        }
    }

    /// Promise 30.
    #[test]
    fn an_unknown_proxy_has_an_internal_address() {
        let is_internal = |text: &str| is_internal(text.parse().unwrap());
        for own in
            ["127.0.0.1", "10.0.0.1", "192.168.0.1", "169.254.0.1", "::1", "fd00::1", "fe80::1"]
        {
            assert!(is_internal(own), "{own}");
        }
        assert!(!is_internal("203.0.113.7") && !is_internal("2001:470::1"));
        assert!(is_internal("100.64.0.1") && is_internal("100.127.255.254"));
        assert!(!is_internal("100.63.0.1") && !is_internal("100.128.0.1"));
    }

    proptest! {
        /// Strangers' entries on the left change nothing.
        #[test]
        fn the_left_part_of_the_header_is_never_believed(left in "[ -~]{0,60}") {
            let said = format!("{left}, 203.0.113.7");
            prop_assert_eq!(seen(&["10.0.0.1"], "10.0.0.1", &[&said]), "203.0.113.7");
            prop_assert_eq!(seen(&[], "198.51.100.1", &[&left]), "198.51.100.1");
        }

        #[test]
        fn any_header_is_survived(said in "\\PC{0,80}") {
            seen(&["10.0.0.1", "::/0"], "10.0.0.1", &[&said]);
        }
    }
}
