//! What settings are made of: lengths of time, origins, colours, addresses. Each says what it must be
//! when it is not, and never what was found.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;
use rocket::http::uri::Absolute;
use serde::de::{Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer};
use url::Url;

/// A length of time such as `90s`, `15min`, `12h` or `14days`; `DEFAULT` is in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Span<const DEFAULT: u64>(Duration);

impl<const DEFAULT: u64> Span<DEFAULT> {
    /// The length.
    pub fn get(self) -> Duration {
        self.0
    }

    #[cfg(test)]
    pub(crate) fn new(length: Duration) -> Self {
        Self(length)
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

/// A number of things; `DEFAULT` if nothing is said.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Most<const DEFAULT: i64>(pub(crate) i64);

impl<const DEFAULT: i64> Default for Most<DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

/// A text, though it may look like a number or a truth value.
pub(super) fn text<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Text(String),
        Bool(bool),
        Whole(i64),
        Number(f64),
    }
    Ok(match Said::deserialize(value).map_err(|_| D::Error::custom("must be a text"))? {
        Said::Text(text) => text,
        Said::Bool(truth) => truth.to_string(),
        Said::Whole(number) => number.to_string(),
        Said::Number(number) => number.to_string(),
    })
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
        is_loopback_host(self.host())
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

    /// Larger than any network of one owner: the largest private ones are `10.0.0.0/8` and `fc00::/7`.
    pub(super) fn is_nearly_everybody(&self) -> bool {
        self.0.prefix_len() < if self.0.addr().is_ipv4() { 8 } else { 7 }
    }

    fn parse(text: &str) -> Option<Self> {
        let address = || text.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical()));
        let network: IpNet = text.parse().ok().or_else(address)?;
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8 (RFC 4291, 2.5.5.2): peers are compared as IPv4.
        let as_ipv4 = || {
            IpNet::new(network.addr().to_canonical(), network.prefix_len().checked_sub(96)?).ok()
        };
        if network.addr().is_ipv6() && network.addr().to_canonical().is_ipv4() {
            return as_ipv4().map(Self);
        }
        Some(Self(network))
    }
}

/// How many times as much the addresses of some networks may do: `{ "203.0.113.0/24" = 10 }`, or as one
/// text `203.0.113.0/24=10, 2001:db8::/32=5`.
#[derive(Clone, Debug, Default)]
pub struct Allowances(Vec<(Proxy, i64)>);

impl Allowances {
    /// 1 for an address of no such network.
    pub(super) fn of(&self, address: IpAddr) -> i64 {
        let theirs = self.0.iter().filter(|(network, _)| network.is(address));
        theirs.map(|(_, times)| *times).max().unwrap_or(1)
    }
}

impl<'de> Deserialize<'de> for Allowances {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Said {
            Text(String),
            Table(BTreeMap<String, i64>),
        }
        let must = "must be how many times as much a network may do, such as 203.0.113.0/24=10";
        let refused = || D::Error::custom(must);
        let pairs: Option<Vec<(String, i64)>> =
            match Said::deserialize(value).map_err(|_| refused())? {
                Said::Table(table) => Some(table.into_iter().collect()),
                Said::Text(text) => text
                    .split(',')
                    .map(|pair| {
                        let (network, times) = pair.split_once('=')?;
                        Some((network.trim().to_owned(), times.trim().parse().ok()?))
                    })
                    .collect(),
            };
        let allowance = |(network, times): (String, i64)| {
            let times = Some(times).filter(|times| (1..=1_000_000).contains(times))?;
            Some((Proxy::parse(&network)?, times))
        };
        let all = pairs.and_then(|pairs| pairs.into_iter().map(allowance).collect());
        all.map(Self).ok_or_else(refused)
    }
}

impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, "must be addresses or networks such as 10.0.0.1 or 10.0.0.0/8", Self::parse)
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
pub struct SmtpUrl(Url);

impl SmtpUrl {
    /// As `lettre` reads it. TLS is not left to chance: where the letters, or a password, would cross a
    /// network in clear, STARTTLS is required unless `tls=none` was said.
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
        // A `#`, `/` or `@` in a password ends it for whoever reads the URL, and what is left of it
        // would pass for a host.
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
                    // Whoever stands in between can take STARTTLS out of what the server offers.
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
        parsed(
            value,
            "must be smtps://… or smtp://…, with special characters of the password written as %xx; \
             smtp:// may end in ?tls=required, ?tls=none, or without a password ?tls=opportunistic",
            Self::parse,
        )
    }
}

/// Where the accounts are kept; may hold a password: mute in every log.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// What a URL must be, for messages.
    pub(crate) const MUST: &str = "must be sqlite: and a file, or postgres://user@host/database";

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let scheme = scheme.to_ascii_lowercase();
        let names_one = match scheme.as_str() {
            "sqlite" => {
                let file = rest.strip_prefix("//").unwrap_or(rest);
                let file = file.split('?').next().unwrap_or_default();
                // A database in memory would be another one for each connection, however it is spelt.
                let decoded = percent_decode_str(rest).decode_utf8_lossy().to_lowercase();
                !file.trim().is_empty()
                    && !decoded.contains(":memory:")
                    && !decoded.contains("mode=memory")
                    && !decoded.trim_start_matches('/').starts_with("file:")
            }
            "postgres" | "postgresql" => rest.starts_with("//") && rest.len() > 2,
            _ => false,
        };
        names_one.then(|| Self(format!("{scheme}:{rest}")))
    }

    /// As the driver reads it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether other processes may keep their accounts there too.
    pub(crate) fn is_postgres(&self) -> bool {
        self.0.starts_with("postgres")
    }

    /// Says why the driver would read another URL than was meant: it passes over what it does not know.
    pub(crate) fn misread(&self) -> Option<&'static str> {
        const KNOWN: [&str; 11] = [
            "sslmode",
            "sslrootcert",
            "sslcert",
            "sslkey",
            "host",
            "port",
            "dbname",
            "user",
            "password",
            "application_name",
            "options",
        ];
        if !self.is_postgres() {
            return None;
        }
        let Ok(url) = Url::parse(&self.0) else {
            return Some(
                "cannot be read: write special characters of the password as %xx (# is %23, / is %2F), and \
                 name one host",
            );
        };
        if url.fragment().is_some() || url.path().contains('@') {
            return Some("cannot be meant like this: in the password # is %23, / is %2F");
        }
        if url.host_str().is_some_and(|host| host.contains(',') || host.contains("%2C")) {
            return Some(
                "names several hosts; name one, such as an address that moves with the primary",
            );
        }
        let is_known =
            |key: &str| KNOWN.contains(&key) || (key.starts_with("options[") && key.ends_with(']'));
        let keys: Vec<_> = url.query_pairs().map(|(key, _)| key).collect();
        if (1..keys.len()).any(|n| keys[..n].contains(&keys[n])) {
            return Some("names a parameter twice");
        }
        if let Some(root) = parameter(&url, "sslrootcert") {
            if !matches!(parameter(&url, "sslmode").as_deref(), Some("verify-full" | "verify-ca")) {
                return Some(
                    "has sslrootcert, which counts with sslmode=verify-full or verify-ca alone",
                );
            }
            if std::fs::File::open(root).is_err() {
                return Some("names an sslrootcert that cannot be read");
            }
        }
        if keys.iter().any(|key| !is_known(key)) {
            return Some(
                "has a parameter that is not known here; these are: sslmode, sslrootcert, sslcert, sslkey, \
                 host, port, dbname, user, password, application_name, options",
            );
        }
        None
    }

    /// Which database it is, without its password.
    pub(crate) fn described(&self) -> String {
        if !self.is_postgres() {
            let file = self.0.trim_start_matches("sqlite:").trim_start_matches("//");
            return format!("the SQLite file {}", file.split('?').next().unwrap_or_default());
        }
        match Url::parse(&self.0) {
            Ok(url) => {
                // What stands behind the `?` wins.
                let said = |name: &str| parameter(&url, name);
                let host = url.host_str().filter(|host| !host.is_empty()).map(str::to_owned);
                let host = said("host").or(host).unwrap_or_else(|| "a local socket".into());
                let port = said("port").or(url.port().map(|port| port.to_string()));
                let port = port.map_or_else(String::new, |port| format!(":{port}"));
                let name =
                    said("dbname").unwrap_or_else(|| url.path().trim_start_matches('/').into());
                // With a raw `/` in the password, the rest of it stands where the name should.
                let name = name.rsplit('@').next().unwrap_or_default();
                format!("PostgreSQL at {host}{port}, database {name:?}")
            }
            Err(_) => "PostgreSQL".to_owned(),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.described())
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Self::MUST, Self::parse)
    }
}

/// What stands behind the `?` of a URL by this name.
fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Whether only this machine is reached by this name.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
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

    /// Neither a password nor the letters cross a network in clear unless that was said.
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

    #[test]
    fn a_database_url_names_a_database() {
        for text in
            ["sqlite:a.db", "sqlite://a.db?mode=rwc", "postgres://u:p@h/d", "PostgreSQL://h/d"]
        {
            assert!(DatabaseUrl::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            " ",
            "a.db",
            "mysql://h/d",
            "sqlite:",
            "sqlite: ",
            "sqlite::memory:",
            "sqlite:a?mode=memory",
            "postgres:",
        ] {
            assert!(DatabaseUrl::parse(text).is_none(), "{text:?}");
        }
        let url = DatabaseUrl::parse("postgres://u:hunter2@db.example.com:5433/accounts").unwrap();
        assert_eq!(url.described(), "PostgreSQL at db.example.com:5433, database \"accounts\"");
    }

    #[test]
    fn an_accent_is_a_colour() {
        assert_eq!(Accent::parse("#8a3B12").unwrap().0, [0x8a, 0x3b, 0x12]);
        for text in ["8a3b12", "#8a3", "#8a3b1g", "#+a3b12", "red;}"] {
            assert!(Accent::parse(text).is_none(), "{text}");
        }
    }
}
