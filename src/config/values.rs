//! What settings are made of: lengths of time, origins, colours, addresses. Each says what it must be
//! when it is not, and never what was found.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use lettre::message::Mailbox;
use rocket::http::uri::Absolute;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer};

/// A length of time such as `90s`, `15min`, `12h` or `14days`; `DEFAULT` is in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Span<const DEFAULT: u64>(Duration);

impl<const DEFAULT: u64> Span<DEFAULT> {
    /// The length.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl<const DEFAULT: u64> Default for Span<DEFAULT> {
    fn default() -> Self {
        Self(Duration::from_secs(DEFAULT))
    }
}

impl<'de, const DEFAULT: u64> Deserialize<'de> for Span<DEFAULT> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, "must be a length of time such as 90s, 15min, 12h or 14days", |text| {
            humantime::parse_duration(text).ok().map(Self)
        })
    }
}

/// An origin: scheme, host and port, no path.
#[derive(Clone, Debug)]
pub struct PublicUrl {
    pub(super) origin: String,
}

impl PublicUrl {
    fn parse(text: &str) -> Option<Self> {
        let url = Absolute::parse(text).ok()?;
        let authority = url.authority()?;
        let standard_port = match url.scheme() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let bare = authority.user_info().is_none()
            && matches!(url.path().as_str(), "" | "/")
            && url.query().is_none();
        if !bare || authority.host().is_empty() {
            return None;
        }
        let port = authority.port().filter(|port| *port != standard_port);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let host = authority.host().to_ascii_lowercase();
        Some(Self { origin: format!("{}://{host}{port}", url.scheme()) })
    }

    pub(super) fn host(&self) -> &str {
        let authority = self.origin.split_once("://").map_or("", |(_, rest)| rest);
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    pub(super) fn is_loopback(&self) -> bool {
        let host = self.host().trim_matches(['[', ']']);
        host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

impl<'de> Deserialize<'de> for PublicUrl {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(
            value,
            "must be an origin without a path, such as https://accounts.example.com",
            Self::parse,
        )
    }
}

/// A proxy that is believed: an address or a network.
#[derive(Clone, Copy, Debug)]
pub struct Proxy(IpNet);

impl Proxy {
    pub(crate) fn is(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, "must be addresses or networks such as 10.0.0.1 or 10.0.0.0/8", |text| {
            let address = || text.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical()));
            text.parse().ok().or_else(address).map(Self)
        })
    }
}

/// A list, or one text with commas: `["10.0.0.1", "10.0.0.2"]`, `10.0.0.1, 10.0.0.2`. In the environment
/// the latter is what people write.
pub(super) fn list<'de, D, T>(value: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }
    let texts = match Texts::deserialize(value)? {
        Texts::One(text) => text.split(',').map(|text| text.trim().to_owned()).collect(),
        Texts::Many(texts) => texts,
    };
    texts.into_iter().map(|text| T::deserialize(text.into_deserializer())).collect()
}

/// A colour, as red, green and blue.
#[derive(Clone, Copy, Debug)]
pub struct Accent(pub(crate) [u8; 3]);

impl Accent {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let [_, r, g, b] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self([r, g, b]))
    }
}

impl<'de> Deserialize<'de> for Accent {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, "must be a colour such as #8a3b12", Self::parse)
    }
}

/// The sender of letters: `accounts@example.com` or `Accounts <accounts@example.com>`.
#[derive(Clone, Debug)]
pub struct Sender(pub(super) Mailbox);

impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, "must be an address such as accounts@example.com", |text| {
            text.parse().ok().map(Self)
        })
    }
}

/// The address of the mail server, with its password: mute in every log.
#[derive(Clone)]
pub struct SmtpUrl(pub(crate) String);

impl<'de> Deserialize<'de> for SmtpUrl {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(
            value,
            "must be smtp://… or smtps://…, with special characters of the password written as %xx",
            |text| {
                let known = text.starts_with("smtp://") || text.starts_with("smtps://");
                let parses =
                    lettre::AsyncSmtpTransport::<lettre::Tokio1Executor>::from_url(text).is_ok();
                (known && parses).then(|| Self(text.to_owned()))
            },
        )
    }
}

/// Reads a text and parses it; a refusal says what it `must` be and never what was found.
fn parsed<'de, D: Deserializer<'de>, T>(
    value: D,
    must: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let refused = || serde::de::Error::custom(must);
    let text = String::deserialize(value).map_err(|_| refused())?;
    parse(text.trim()).ok_or_else(refused)
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

    #[test]
    fn an_accent_is_a_colour() {
        assert_eq!(Accent::parse("#8a3B12").unwrap().0, [0x8a, 0x3b, 0x12]);
        for text in ["8a3b12", "#8a3", "#8a3b1g", "#+a3b12", "red;}"] {
            assert!(Accent::parse(text).is_none(), "{text}");
        }
    }
}
