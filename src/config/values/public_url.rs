//! The URL that people use.

use serde::{Deserialize, Deserializer};
use url::{Host, Url};

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

    pub(in crate::config) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The domain of an email address at this host; an address literal (RFC 5321, 4.1.3) if the host has no name.
    pub(in crate::config) fn mail_domain(&self) -> String {
        match self.url.host() {
            Some(Host::Ipv4(ip)) => format!("[{ip}]"),
            Some(Host::Ipv6(ip)) => format!("[IPv6:{ip}]"),
            Some(Host::Domain(name)) => name.to_owned(),
            None => String::new(),
        }
    }

    pub(in crate::config) fn is_loopback(&self) -> bool {
        is_loopback_host(self.host())
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
