//! The types of settings: durations, origins, colours, addresses. Their errors describe a valid value, and never
//! contain the actual one.

mod database_url;
mod mail;
mod networks;
mod public_url;

use std::net::IpAddr;
use std::time::Duration;

use serde::de::{Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer};

pub(crate) use database_url::DatabasePlace;
pub use database_url::DatabaseUrl;
pub use mail::{Sender, SmtpUrl};
pub use networks::{Allowances, Proxy};
pub use public_url::PublicUrl;

use super::Must;

/// A duration such as `90s`, `15min`, `12h` or `14days`.
pub(super) fn duration<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    parsed(value, Must::Duration, |text| humantime::parse_duration(text).ok())
}

/// Text, even if it looks like a number or a boolean.
pub(super) fn text<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Text(String),
        Bool(bool),
        Whole(i64),
        Number(f64),
    }
    Ok(match Said::deserialize(value).map_err(|_| D::Error::custom(Must::Text))? {
        Said::Text(text) => text,
        Said::Bool(truth) => truth.to_string(),
        Said::Whole(number) => number.to_string(),
        Said::Number(number) => number.to_string(),
    })
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
