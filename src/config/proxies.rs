//! Which proxies are trusted to report the client IP.

use std::net::IpAddr;

use super::{Config, ConfigError, Must, Proxy};

/// The factor for rate limits of an unknown proxy, whose address all its clients share.
const SHARED_ADDRESS: i64 = 20;

impl Config {
    /// Refuses proxy settings with which clients could forge their IP.
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

    /// Whether this is a trusted proxy.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|proxy| proxy.is(address))
    }

    /// The factor for the rate limits of this address.
    pub(crate) fn allowance(&self, address: IpAddr, is_shared: bool) -> i64 {
        let shared = if is_shared { SHARED_ADDRESS } else { 1 };
        self.throttle.networks.of(address).max(shared)
    }
}

/// The characters of a header's name (RFC 9110, 5.6.2).
fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}
