//! The sender of emails, and the mail server.

use lettre::message::Mailbox;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::{is_loopback_host, parsed};
use crate::config::Must;

/// The sender of emails: `accounts@example.com` or `Accounts <accounts@example.com>`.
#[derive(Clone, Debug)]
pub struct Sender(pub(in crate::config) Mailbox);

impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::Sender, |text| text.parse().ok().map(Self))
    }
}

/// The URL of the mail server. Contains its password, so its `Debug` reveals nothing.
#[derive(Clone)]
pub struct SmtpUrl(Url);

impl SmtpUrl {
    /// The URL for `lettre`. If emails or a password would cross a network in clear, STARTTLS is required unless
    /// the URL has `tls=none`.
    pub(crate) fn for_lettre(&self) -> String {
        let mut url = self.0.clone();
        let tls = match self.tls() {
            _ if url.scheme() == "smtps" => None,
            Some("none") => None,
            Some(tls) => Some(tls.to_owned()),
            None => (!self.is_loopback() || self.has_password()).then(|| "required".to_owned()),
        };
        url.set_query(tls.map(|tls| format!("tls={tls}")).as_deref());
        url.into()
    }

    fn parse(text: &str) -> Option<Self> {
        // An unescaped `#`, `/` or `@` in a password ends it, and the rest could pass for a host.
        if text.contains('#')
            || text.matches('@').count() > 1
            || text.chars().any(char::is_whitespace)
        {
            return None;
        }
        let url = Self(Url::parse(text).ok()?);
        let is_smtp = matches!(url.0.scheme(), "smtp" | "smtps");
        let has_host = url.0.host_str().is_some_and(|host| !host.is_empty());
        let no_path = matches!(url.0.path(), "" | "/");
        let known_query = match url.0.query() {
            None => true,
            Some(query) => {
                query.strip_prefix("tls=").is_some_and(|tls| match tls {
                    "none" | "required" => true,
                    // A man in the middle can remove STARTTLS from the server's capabilities.
                    "opportunistic" => !url.has_password(),
                    _ => false,
                })
            }
        };
        let is_sound = is_smtp && has_host && no_path && known_query;
        let is_read = |url: &Self| {
            lettre::AsyncSmtpTransport::<lettre::Tokio1Executor>::from_url(&url.for_lettre())
                .is_ok()
        };
        Some(url).filter(|url| is_sound && is_read(url))
    }

    /// The server without its password.
    pub(crate) fn described(&self) -> String {
        let port = self.0.port().map_or_else(String::new, |port| format!(":{port}"));
        format!("{}://{}{port}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }

    fn tls(&self) -> Option<&str> {
        self.0.query().and_then(|query| query.strip_prefix("tls="))
    }

    fn has_password(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }

    fn is_loopback(&self) -> bool {
        self.0.host_str().is_some_and(is_loopback_host)
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
                SmtpUrl::parse(text).map(|url| url.for_lettre()).as_deref(),
                Some(read),
                "{text}"
            );
        }
        for text in [
            "smtps://user:p@ss#w/rd@mail.example.com",
            "smtps://user:pa#ss@mail.example.com",
            "smtps://user:pa/ss@mail.example.com",
            "smtps://user:p@ss@mail.example.com",
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
