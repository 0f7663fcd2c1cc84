//! Who is believed when they say who the client is.

use std::net::IpAddr;

use super::{Config, ConfigError, Must, Proxy};

/// How many times as much people may do who come through a proxy that nobody named: all of them share its
/// address.
const SHARED_ADDRESS: i64 = 20;

impl Config {
    /// A proxy that is believed although it should not be, or in a way that is not read here, can pass for
    /// anybody.
    pub(super) fn check_proxies(&self) -> Result<(), ConfigError> {
        if self.trusted_proxies.iter().any(Proxy::is_nearly_everybody) {
            return Err(ConfigError::must("vestibule.trusted_proxies", Must::OwnProxies));
        }
        let header = &self.client_ip_header;
        let is = |name: &&str| header.eq_ignore_ascii_case(name);
        let must = if header.is_empty() || !header.bytes().all(is_token_byte) {
            Must::HeaderName
        } else if ["host", "cookie", "user-agent", "origin"].iter().any(is) {
            Must::HeaderOfProxies
        } else if is(&"forwarded") {
            Must::HeaderOfAddresses
        } else {
            return Ok(());
        };
        Err(ConfigError::must("vestibule.client_ip_header", must))
    }

    /// Whether this is a proxy that is believed.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|proxy| proxy.is(address))
    }

    /// How many times as much the people at this address may do as those at another.
    pub(crate) fn allowance(&self, address: IpAddr, is_shared: bool) -> i64 {
        let shared = if is_shared { SHARED_ADDRESS } else { 1 };
        self.throttle.networks.of(address).max(shared)
    }
}

/// What a header's name may be made of (RFC 9110, 5.6.2).
fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}
