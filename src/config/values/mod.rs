//! The types of settings: durations, origins, colours, addresses. Their errors describe a valid value, and never
//! contain the actual one.

mod database_url;
mod link;
mod mail;
mod networks;
mod public_url;
mod sign_up;
mod zone;

use std::net::IpAddr;
use std::time::Duration;

use figment::value::Value;
use serde::de::{Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer};

pub(crate) use database_url::DatabasePlace;
pub use database_url::DatabaseUrl;
pub use link::Link;
pub use mail::{Hello, Sender, SmtpUrl};
pub use networks::{Allowances, Proxy};
pub use public_url::PublicUrl;
pub use sign_up::{EmailDomain, SignUps, Verification};
pub use zone::Zone;

use super::Must;

/// A duration such as `90s`, `15min`, `12h` or `14days`.
pub(super) fn duration<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    parsed(value, Must::Duration, |text| humantime::parse_duration(text).ok())
}

/// Text, even if it looks like a number or a boolean.
pub(super) fn text<'de, D, T>(value: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Text(String),
        Bool(bool),
        Whole(i64),
        Number(f64),
    }
    Ok(T::from(match Said::deserialize(value).map_err(|_| D::Error::custom(Must::Text))? {
        Said::Text(text) => text,
        Said::Bool(truth) => truth.to_string(),
        Said::Whole(number) => number.to_string(),
        Said::Number(number) => number.to_string(),
    }))
}

/// [`text`] of a setting without a default.
pub(super) fn optional_text<'de, D, T>(value: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    text(value).map(Some)
}

/// `true` or `false`, or one of the words that other programs use: yes, no, on, off, 1, 0, in any case.
pub(super) fn truth<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    let said: Result<String, _> = text(value);
    let truth = said.ok().and_then(|said| Value::from(said.trim()).to_bool_lossy());
    truth.ok_or_else(|| D::Error::custom(Must::Bool))
}

/// How far browsers insist on https when `public_url` is https (RFC 6797).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hsts {
    /// They are not told to.
    Off,
    /// For the host of `public_url`.
    Host,
    /// For its subdomains too.
    Subdomains,
}

impl<'de> Deserialize<'de> for Hsts {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::Hsts, |text| match text {
            "off" => Some(Self::Off),
            "host" => Some(Self::Host),
            "subdomains" => Some(Self::Subdomains),
            _ => None,
        })
    }
}

/// A list, or text with commas: `["10.0.0.1", "10.0.0.2"]`, or `10.0.0.1, 10.0.0.2` as in the environment.
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
        parsed(value, Must::Colour, Self::parse)
    }
}

/// Whether this host name only resolves to this machine.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Reads and parses text; the error is `must`, and never contains the actual value.
fn parsed<'de, D: Deserializer<'de>, T>(
    value: D,
    must: Must,
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
    fn an_accent_is_a_colour() {
        assert_eq!(Accent::parse("#8a3B12").unwrap().0, [0x8a, 0x3b, 0x12]);
        for text in ["8a3b12", "#8a3", "#8a3b1g", "#+a3b12", "red;}"] {
            assert!(Accent::parse(text).is_none(), "{text}");
        }
    }
}
