//! The sender of emails, and the mail server.

use std::net::IpAddr;

use lettre::Address;
use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::{is_loopback_host, parsed};
use crate::config::Must;

/// The sender of emails: `accounts@example.com` or `Accounts <accounts@example.com>`. An address of ASCII, with the domain
/// as A-labels: few mail servers take any other (RFC 6531).
#[derive(Clone, Debug)]
pub struct Sender(pub(in crate::config) Mailbox);

impl Sender {
    /// The domain as an A-label (RFC 5890), which every mail server takes. Few take a sender with other letters before
    /// the `@` (RFC 6531).
    fn parse(text: &str) -> Option<Self> {
        let Mailbox { name, email } = text.trim().parse().ok()?;
        let (user, domain) = (email.user(), email.domain());
        if domain.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            return None;
        }
        let domain = idna::domain_to_ascii_strict(domain).ok()?;
        let email = Address::new(user, domain).ok()?;
        user.is_ascii().then(|| Self(Mailbox::new(name, email)))
    }
}

impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::Sender, Self::parse)
    }
}

/// The name by which the service greets a mail server: a host name or an address literal.
#[derive(Clone, Debug)]
pub struct Hello(pub(in crate::config) String);

impl Hello {
    fn parse(text: &str) -> Option<Self> {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
        if let Ok(ip) = bare.parse() {
            return Some(Self(literal(ip)));
        }
        let name = idna::domain_to_ascii(text).ok()?;
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        (!name.is_empty() && name.len() <= 255 && name.bytes().all(is_name)).then_some(Self(name))
    }
}

impl<'de> Deserialize<'de> for Hello {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::Hello, Self::parse)
    }
}

/// An address in place of a host name (RFC 5321, 4.1.3).
pub(in crate::config) fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

/// The URL of the mail server. If emails or a password would cross a network in clear, it says `tls=required`, unless
/// the setting had `tls=none`. Contains the password, so its `Debug` reveals nothing.
#[derive(Clone)]
pub struct SmtpUrl(pub(crate) Url);

impl SmtpUrl {
    fn parse(text: &str) -> Option<Self> {
        // An unescaped `#`, `/` or `@` in a password ends it, and the rest could pass for a host.
        if text.contains('#')
            || text.matches('@').count() > 1
            || text.chars().any(char::is_whitespace)
        {
            return None;
        }
        let mut url = Url::parse(text).ok()?;
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let has_password = url.password().is_some();
        if has_password == url.username().is_empty() {
            return None;
        }
        let is_exposed = has_password || !is_loopback_host(host);
        let tls = match (url.scheme(), url.query()) {
            ("smtps", None | Some("tls=required")) | ("smtps" | "smtp", Some("tls=none")) => None,
            ("smtp", None) => is_exposed.then_some("tls=required"),
            ("smtp", Some("tls=required")) => Some("tls=required"),
            // A man in the middle can remove STARTTLS from the server's capabilities.
            ("smtp", Some("tls=opportunistic")) if !has_password => Some("tls=opportunistic"),
            ("smtps", Some("tls=opportunistic")) if !has_password => None,
            _ => return None,
        };
        let is_text = |text| percent_decode_str(text).decode_utf8().is_ok();
        let is_sound = matches!(url.path(), "" | "/")
            && is_text(url.username())
            && is_text(url.password().unwrap_or_default());
        url.set_query(tls);
        is_sound.then_some(Self(url))
    }

    /// Whether TLS is spoken, if the server can.
    pub(in crate::config) fn uses_tls(&self) -> bool {
        self.0.scheme() == "smtps" || self.0.query().is_some()
    }

    /// The server without its password.
    pub(crate) fn described(&self) -> String {
        let port = self.0.port().map_or_else(String::new, |port| format!(":{port}"));
        format!("{}://{}{port}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for SmtpUrl {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::SmtpUrl, Self::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither a password nor emails cross a network in clear unless configured so.
    #[test]
    fn mail_goes_by_tls_unless_it_was_said_otherwise() {
        for (text, read) in [
            ("smtps://u:p@mail.example.com", "smtps://u:p@mail.example.com"),
            ("smtp://mail.example.com", "smtp://mail.example.com?tls=required"),
            ("smtp://u:p@mail.example.com:587", "smtp://u:p@mail.example.com:587?tls=required"),
            ("smtp://u:p@localhost", "smtp://u:p@localhost?tls=required"),
            ("smtp://localhost:25", "smtp://localhost:25"),
            ("smtp://127.0.0.1", "smtp://127.0.0.1"),
            ("smtp://u:p@mail.example.com?tls=none", "smtp://u:p@mail.example.com"),
            (
                "smtp://mail.example.com?tls=opportunistic",
                "smtp://mail.example.com?tls=opportunistic",
            ),
        ] {
            assert_eq!(
                SmtpUrl::parse(text).as_ref().map(|url| url.0.as_str()),
                Some(read),
                "{text}"
            );
        }
        for text in [
            "smtps://user:p@ss#w/rd@mail.example.com",
            "smtps://user:pa#ss@mail.example.com",
            "smtps://user:pa/ss@mail.example.com",
            "smtps://user:p@ss@mail.example.com",
            "smtps://user:%ff@mail.example.com",
            "smtp://u:p@mail.example.com?tls=opportunistic",
            "smtp://mail.example.com?tls=never",
            "smtp://mail.example.com/?tls=required&tls=none",
            "smtp://",
            "mail.example.com",
        ] {
            assert!(SmtpUrl::parse(text).is_none(), "{text}");
        }
    }
}
