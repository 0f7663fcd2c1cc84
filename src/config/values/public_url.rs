//! The URL that people use.

use serde::{Deserialize, Deserializer};
use url::{Host, Url};

use super::mail::literal;
use super::{is_loopback_host, parsed};
use crate::config::Must;

/// An origin: scheme, host and port, no path.
#[derive(Clone, Debug)]
pub struct PublicUrl {
    url: Url,
    origin: String,
}

impl PublicUrl {
    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        let is_web = matches!(url.scheme(), "http" | "https");
        (is_bare && is_web).then(|| Self { origin: url.origin().ascii_serialization(), url })
    }

    /// As browsers send it in the `Origin` header.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The port, if it is http and not the usual one.
    pub(in crate::config) fn http_port(&self) -> Option<u16> {
        self.url.port().filter(|_| self.url.scheme() == "http")
    }

    /// The host as mail servers write it; `None` if it is this machine.
    pub(in crate::config) fn mail_host(&self) -> Option<String> {
        if self.is_loopback() {
            return None;
        }
        self.url.host().map(|host| match host {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(ip) => literal(ip.into()),
            Host::Ipv6(ip) => literal(ip.into()),
        })
    }

    pub(in crate::config) fn is_loopback(&self) -> bool {
        is_loopback_host(self.url.host_str().unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for PublicUrl {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::PublicUrl, Self::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin_and_nothing_more() {
        for (text, origin) in [
            ("https://Example.com", "https://example.com"),
            ("https://example.com/", "https://example.com"),
            ("https://example.com:443", "https://example.com"),
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ] {
            assert_eq!(PublicUrl::parse(text).unwrap().origin, origin, "{text}");
        }
        for text in [
            "example.com",
            "ftp://example.com",
            "https://example.com/app",
            "https://u:p@example.com",
            "https://example.com?x",
        ] {
            assert!(PublicUrl::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let loopback = |text| PublicUrl::parse(text).unwrap().is_loopback();
        assert!(loopback("http://localhost:5000"));
        assert!(loopback("http://127.0.0.1"));
        assert!(loopback("http://[::1]:5000"));
        assert!(!loopback("http://localhost.example.com"));
        assert!(!loopback("http://192.168.1.2:5000"));
    }
}
