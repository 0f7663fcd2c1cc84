//! All settings, typed and documented, with their defaults.
//!
//! Settings come from the table `vestibule` of the active profile (`[default.vestibule]` in
//! `Rocket.toml`) and from the environment (`VESTIBULE_PUBLIC_URL`, and
//! `VESTIBULE_PASSWORD__MIN_LENGTH` for `password.min_length`), which wins over every profile.

mod account;
mod cookies;
mod database;
mod environment;
mod error;
mod events;
mod framework;
mod hashing;
mod links;
mod mail;
mod password;
mod proxies;
mod range;
pub(crate) mod secret_files;
mod session;
mod throttle;
mod values;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use figment::Figment;
use serde::Deserialize;

use crate::auth::Email;
use crate::urls::Urls;

pub use account::AccountConfig;
pub(crate) use cookies::Cookies;
pub(crate) use database::with_database;
pub(crate) use environment::{CLOSED, with_environment};
pub use error::ConfigError;
pub(crate) use error::{Misread, Must, Problem, Variable};
pub use events::EventsConfig;
pub(crate) use framework::check_rocket;
pub use hashing::HashingConfig;
pub use links::LinksConfig;
pub use mail::MailConfig;
pub use password::PasswordConfig;
pub use session::SessionConfig;
pub use throttle::ThrottleConfig;
pub use values::{
    Accent, Allowances, DatabaseUrl, EmailDomain, Hello, Hsts, Link, Proxy, PublicUrl, Sender,
    SignUps, SmtpUrl, Verification, Zone,
};
pub(crate) use values::{DatabasePlace, is_loopback_host};

/// The settings of the service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The origin that people use, such as `https://accounts.example.com`. Determines links in emails, cookie
    /// names, `Secure`, HSTS and the cross-site check. If not set: `http://localhost:<port>`, and the service
    /// listens on loopback only.
    pub public_url: Option<PublicUrl>,
    /// Makes the URLs; not a setting.
    #[serde(skip)]
    pub(crate) urls: Urls,
    /// See [`cookie_name`](Self::cookie_name); not a setting.
    #[serde(skip)]
    cookie_names: cookies::CookieNames,
    /// The database: `postgres://user@host/database`, or `sqlite:` and a file. If not set:
    /// `databases.vestibule.url`, or else `vestibule.sqlite3` in `data_dir`.
    pub database_url: Option<DatabaseUrl>,
    /// The name of the service on pages and in emails. Default `Vestibule`.
    #[serde(deserialize_with = "values::text")]
    pub site_name: String,
    /// The colour of buttons, `#rrggbb`; links have it too, made darker or lighter until it is readable. Default
    /// `#8a3b12`.
    pub accent: Accent,
    /// The time zone of the people who use the site, for dates on pages and times in emails, such as
    /// `Europe/Berlin`. Default `UTC`.
    pub time_zone: Zone,
    /// A file with the logo, shown instead of the name: SVG, PNG, JPEG, WebP, AVIF or GIF.
    pub logo: Option<PathBuf>,
    /// A file with CSS of your own, which every page loads last.
    pub extra_css: Option<PathBuf>,
    /// Where the name of the site, signing out and error pages lead: a path of this site or a URL. Default `/`.
    pub home: Link,
    /// The links at the foot of every page.
    pub links: LinksConfig,
    /// Who may sign up: `open`, `invite` (only who was [invited](crate::Accounts::invite)) or `closed`. Default `open`.
    pub signup: SignUps,
    /// The domains of the addresses that people may sign up with, and change to; an invitation may go to any. Default:
    /// all.
    #[serde(deserialize_with = "values::list")]
    pub signup_domains: Vec<EmailDomain>,
    /// Whether people have to confirm their address before they can sign in: `optional` or `required`. Default
    /// `optional`.
    pub verification: Verification,
    /// The folder of the embedded database, the secret key and unsent emails. Default `data`.
    #[serde(deserialize_with = "values::text")]
    pub data_dir: PathBuf,
    /// The password policy, and the cost of hashes.
    pub password: PasswordConfig,
    /// The threads that hash passwords.
    pub hashing: HashingConfig,
    /// How long users stay signed in.
    pub session: SessionConfig,
    /// How emails are sent.
    pub mail: MailConfig,
    /// Rate limits.
    pub throttle: ThrottleConfig,
    /// What owners may do with their accounts.
    pub account: AccountConfig,
    /// The security events that are recorded.
    pub events: EventsConfig,
    /// Proxies in front of the service, as addresses and networks (`10.0.0.0/8`): only they are trusted to report
    /// the client IP. Default: none.
    #[serde(deserialize_with = "values::list")]
    pub trusted_proxies: Vec<Proxy>,
    /// The header in which trusted proxies report the client IP. Default `X-Forwarded-For`.
    #[serde(deserialize_with = "values::text")]
    pub client_ip_header: String,
    /// For host apps: whether the [`User`](crate::User) guard accepts changes that another website sends to the
    /// host's own routes. Default `false`: they are refused with 403.
    #[serde(deserialize_with = "values::truth")]
    pub allow_cross_site: bool,
    /// How long requests are still answered after SIGTERM while `/health/ready` is already 503, so that a load
    /// balancer notices before the port is closed. Default `0s`, for a single node.
    #[serde(deserialize_with = "values::duration")]
    pub drain: Duration,
    /// Whether this process sends emails and removes expired data. Default `true`.
    #[serde(deserialize_with = "values::truth")]
    pub jobs: bool,
    /// How far browsers are told to insist on https for a year when `public_url` is https: `off`, `host`, or
    /// `subdomains`. Default `host`.
    pub hsts: Hsts,
    /// Only for the clients of the course project: puts reset tokens into responses, so that anybody can take over
    /// any account. Refused unless only this machine can reach the service. Default `false`.
    #[serde(deserialize_with = "values::truth")]
    pub reveal_reset_token: bool,
    #[serde(skip)]
    port: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: None,
            urls: Urls::default(),
            cookie_names: cookies::CookieNames::default(),
            database_url: None,
            site_name: "Vestibule".into(),
            accent: Accent([0x8a, 0x3b, 0x12]),
            time_zone: Zone::utc(),
            logo: None,
            extra_css: None,
            home: Link::front_page(),
            links: LinksConfig::default(),
            signup: SignUps::Open,
            signup_domains: Vec::new(),
            verification: Verification::Optional,
            data_dir: "data".into(),
            password: PasswordConfig::default(),
            hashing: HashingConfig::default(),
            session: SessionConfig::default(),
            mail: MailConfig::default(),
            throttle: ThrottleConfig::default(),
            account: AccountConfig::default(),
            events: EventsConfig::default(),
            trusted_proxies: Vec::new(),
            client_ip_header: "X-Forwarded-For".into(),
            allow_cross_site: false,
            drain: Duration::ZERO,
            jobs: true,
            hsts: Hsts::Host,
            reveal_reset_token: false,
            port: 8000,
        }
    }
}

impl Config {
    /// Reads the settings from Rocket's figment.
    ///
    /// # Errors
    /// If a setting is wrong. The error names the key, the place and the reason, but not the value, which may be a
    /// secret.
    pub(crate) fn read(figment: &Figment) -> Result<Self, ConfigError> {
        let mut config: Self = match figment.find_value("vestibule") {
            Ok(_) => figment.extract_inner("vestibule").map_err(|error| ConfigError::of(&error))?,
            Err(_) => Self::default(),
        };
        let rocket = rocket::Config::try_from(figment).map_err(|error| ConfigError::of(&error))?;
        config.port = rocket.port;
        config.check(rocket.address)?;
        Ok(config)
    }

    fn check(&self, address: IpAddr) -> Result<(), ConfigError> {
        if self.public_url.is_none() && !address.is_loopback() {
            return Err(ConfigError::new("vestibule.public_url", Problem::NoPublicUrl(address)));
        }
        let local_only = address.is_loopback()
            && self.trusted_proxies.is_empty()
            && self.public_url.as_ref().is_none_or(PublicUrl::is_loopback);
        if self.reveal_reset_token && !local_only {
            let key = "vestibule.reveal_reset_token";
            return Err(ConfigError::new(key, Problem::RevealsToAnybody));
        }
        if self.site_name.trim().is_empty() || self.site_name.chars().any(char::is_control) {
            return Err(ConfigError::must("vestibule.site_name", Must::Line));
        }
        if !self.home.is_page() {
            return Err(ConfigError::must("vestibule.home", Must::Page));
        }
        if self.data_dir.as_os_str().is_empty() {
            return Err(ConfigError::must("vestibule.data_dir", Must::Folder));
        }
        self.check_proxies()?;
        range::length("drain", self.drain, Duration::ZERO..=Duration::from_mins(10))?;
        self.password.check()?;
        self.hashing.check()?;
        self.throttle.check()?;
        self.session.check()?;
        self.check_cookies()?;
        self.mail.check()?;
        self.account.check()?;
        self.events.check()
    }

    /// The origin of links, without a slash at the end.
    pub fn origin(&self) -> String {
        match &self.public_url {
            Some(url) => url.origin().to_owned(),
            None => format!("http://localhost:{}", self.port),
        }
    }

    /// Whether `origin`, as browsers send it in the `Origin` header (RFC 6454), is that of our own pages.
    pub fn is_own_origin(&self, origin: &str) -> bool {
        let origin = without_usual_port(origin);
        match &self.public_url {
            Some(url) => origin.eq_ignore_ascii_case(url.origin()),
            None => ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| {
                let own = format!("http://{host}:{}", self.port);
                origin.eq_ignore_ascii_case(without_usual_port(&own))
            }),
        }
    }

    /// Whether somebody may have an account with this address: invited or not, it is at one of `signup_domains`.
    pub(crate) fn allows_email(&self, email: &Email) -> bool {
        self.signup_domains.is_empty() || self.signup_domains.iter().any(|domain| domain.has(email))
    }

    /// Whether pages lead to the sign-up form.
    pub(crate) fn offers_sign_up(&self) -> bool {
        self.signup == SignUps::Open
    }

    /// Whether an address has to be verified before anybody can sign in with it.
    pub(crate) fn requires_verification(&self) -> bool {
        self.verification == Verification::Required
    }

    /// Whether people use https, wherever TLS is terminated.
    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.origin().starts_with("https://"))
    }

    /// Whether the service has a public host name, so that there may be a proxy on this machine.
    pub(crate) fn is_public(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| !url.is_loopback())
    }
}

/// The same origin without the port that its scheme has anyway: browsers leave it out, and some clients do not.
fn without_usual_port(origin: &str) -> &str {
    let has_scheme = |scheme: &str| {
        origin.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let usual = [("https://", ":443"), ("http://", ":80")];
    let own = usual.into_iter().find(|(scheme, _)| has_scheme(scheme));
    own.and_then(|(_, port)| origin.strip_suffix(port)).unwrap_or(origin)
}

#[cfg(test)]
mod tests {
    use figment::error::Kind;
    use figment::providers::{Format, Toml};

    use super::*;

    fn read(settings: &str) -> Result<Config, Box<figment::Error>> {
        Figment::from(Toml::string(settings)).extract().map_err(Box::new)
    }

    /// An address of plain ASCII, which every mail server takes.
    #[test]
    fn the_sender_of_emails_has_an_address_that_servers_take() {
        for (settings, sender) in [
            ("", "no-reply@localhost"),
            ("public_url = \"https://accounts.example.com:8443\"", "no-reply@accounts.example.com"),
            ("public_url = \"https://b\u{fc}cher.example\"", "no-reply@xn--bcher-kva.example"),
            ("public_url = \"http://[fd00::1]:8000\"", "no-reply@localhost"),
            ("public_url = \"http://192.168.1.7\"", "no-reply@localhost"),
            ("mail.from = \"ada@b\u{fc}cher.example\"", "ada@xn--bcher-kva.example"),
            ("mail.from = \"The Hall <Ada@BU\u{308}CHER.example>\"", "Ada@xn--bcher-kva.example"),
            ("mail.from = \"accounts@localhost\"", "accounts@localhost"),
        ] {
            let read = read(settings).unwrap().sender().unwrap().email.to_string();
            assert_eq!(read, sender, "{settings}");
        }
        for from in ["j\u{f6}rg@example.com", "ada@exa mple.com", "ada@-.example", "ada"] {
            assert!(read(&format!("mail.from = {from:?}")).is_err(), "{from}");
        }
    }

    /// All settings below `table`.
    fn settings(table: &str) -> Vec<String> {
        let Err(error) = read(&format!("{table}no_such_setting = 1")) else { panic!("{table}") };
        let Kind::UnknownField(_, names) = error.kind else { return Vec::new() };
        let below = |name: &&str| {
            let inner = settings(&format!("{table}{name}."));
            if inner.is_empty() { vec![format!("{table}{name}")] } else { inner }
        };
        names.iter().flat_map(below).collect()
    }

    #[test]
    fn the_readme_has_every_setting_with_its_default() {
        let readme = include_str!("../../README.md");
        let tables = readme.split("| Setting | Default | What it does |\n").skip(1);
        let rows =
            tables.flat_map(|table| table.lines().skip(1).take_while(|line| line.starts_with('|')));
        let rows: Vec<(&str, &str)> = rows
            .map(|row| {
                let mut cells = row.split(" | ");
                let name = cells.next().unwrap().trim_start_matches("| ").trim_matches('`');
                (name, cells.next().unwrap())
            })
            .collect();
        let mut named: Vec<String> = rows.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut all = settings("");
        named.sort();
        all.sort();
        assert_eq!(named, all);
        let default = Config::default();
        let mut plain = 0;
        for (name, value) in rows {
            // Other defaults are described in words.
            let Some(value) = value.strip_prefix('`').and_then(|value| value.strip_suffix('`'))
            else {
                continue;
            };
            if value.contains(['<', '`']) {
                continue;
            }
            plain += 1;
            let config = read(&format!("{name} = {value}"))
                .or_else(|_| read(&format!("{name} = {value:?}")))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(format!("{config:?}"), format!("{default:?}"), "{name}");
        }
        assert!(plain > 30, "{plain}");
    }
}
