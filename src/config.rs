//! Every setting, typed and documented, with its default.
//!
//! Settings come from the table `vestibule` of the active profile (`[default.vestibule]` in
//! `Rocket.toml`) and from the environment (`VESTIBULE_PUBLIC_URL`, and
//! `VESTIBULE_PASSWORD__MIN_LENGTH` for `password.min_length`), which wins over every profile.

mod values;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use figment::error::Kind;
use figment::providers::Env;
use figment::{Figment, Profile};
use lettre::message::Mailbox;
use serde::Deserialize;

pub use values::{Accent, Proxy, PublicUrl, Sender, SmtpUrl, Span};

/// The settings of the service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The origin under which people reach the service, such as `https://accounts.example.com`.
    /// Links in letters, cookie names, `Secure`, HSTS and the cross-site check follow from it. Not
    /// set: `http://localhost:<port>`, and the service listens on loopback only.
    pub public_url: Option<PublicUrl>,
    /// What the pages and letters call the service. Default `Vestibule`.
    pub site_name: String,
    /// The colour of what can be pressed, `#rrggbb`. Default `#8a3b12`.
    pub accent: Accent,
    /// Where the embedded database, the secret key and unsent letters live. Default `data`.
    pub data_dir: PathBuf,
    /// What a password must be, and what a hash of it costs.
    pub password: PasswordConfig,
    /// The threads that hash passwords.
    pub hashing: HashingConfig,
    /// How long people stay signed in.
    pub session: SessionConfig,
    /// How letters leave.
    pub mail: MailConfig,
    /// How often something may be tried.
    pub throttle: ThrottleConfig,
    /// What is noted of what happened.
    pub events: EventsConfig,
    /// Proxies in front of the service, as addresses and networks (`10.0.0.0/8`): only they are
    /// believed when they say who the client is. Default: none.
    #[serde(deserialize_with = "values::list")]
    pub trusted_proxies: Vec<Proxy>,
    /// The header in which trusted proxies say who the client is. Default `X-Forwarded-For`.
    pub client_ip_header: String,
    /// Whether this process delivers letters and sweeps what expired. Default `true`.
    pub jobs: bool,
    /// Whether browsers are told to insist on https for a year, subdomains included, when
    /// `public_url` is https. Default `true`.
    pub hsts: bool,
    /// For the clients of the course project alone: puts reset tokens into answers, so that anybody
    /// can take any account. Refused unless only this machine can reach the service. Default `false`.
    pub reveal_reset_token: bool,
    #[serde(skip)]
    port: u16,
}

/// `password.*`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordConfig {
    /// Fewest characters of a new password. Default 8.
    pub min_length: usize,
    /// Lowest zxcvbn score of a new password, 0 (anything) to 4. Default 3.
    pub min_strength: u8,
    /// The bcrypt cost of new hashes, 4 to 31; each step doubles the work. Default 12.
    pub cost: u32,
}

/// `hashing.*`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HashingConfig {
    /// Threads that hash passwords. Default: the number of cores.
    pub workers: Option<usize>,
    /// How long a hash may wait for its turn before the answer is 503. Default `5s`.
    pub max_wait: Span<5>,
    /// Most hashes that one worker computes side by side, 1 to 6. More keep a processor with a large
    /// first-level cache busier. Default 4.
    pub batch: usize,
    /// How many hashes may wait in each of the two lanes, for browsers that opened the account before
    /// and for strangers, before the answer is 503. Default 256.
    pub queue: usize,
}

/// `throttle.*`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleConfig {
    /// Failed tries on an account before strangers have to wait. Default 5.
    pub free_tries: i64,
    /// The first wait; it doubles with every further failure. Default `1s`.
    pub first_wait: Span<1>,
    /// The longest wait. Default `15min`.
    pub longest_wait: Span<{ 15 * 60 }>,
    /// Failures are forgotten after this long without one. Default `24h`.
    pub forget_after: Span<{ 24 * HOUR }>,
    /// Failed logins, sign-ups, changes and requests for a letter that one network (IPv4 address, IPv6 /64)
    /// may make a minute; and tries to set a password with one link. Default 30.
    pub tries_by_client: i64,
    /// Changes of the password of one account an hour; each sends a letter. Default 3.
    pub password_changes: i64,
    /// Letters of one kind that strangers can have sent to one address an hour. Default 3.
    pub letters_to_address: i64,
    /// Letters that one network can cause an hour. Default 20.
    pub letters_by_client: i64,
}

/// `events.*`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// How long a row stays. Default `180days`.
    pub keep_for: Span<{ 180 * DAY }>,
}

/// `session.*`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionConfig {
    /// A session ends when nothing happened in it for this long. Default `2h`.
    pub idle_ttl: Span<{ 2 * HOUR }>,
    /// A session ends this long after the login, whatever happens in it. Default `12h`.
    pub absolute_ttl: Span<{ 12 * HOUR }>,
    /// `idle_ttl` with "keep me signed in". Default `14days`.
    pub remembered_idle_ttl: Span<{ 14 * DAY }>,
    /// `absolute_ttl` with "keep me signed in". Default `30days`.
    pub remembered_absolute_ttl: Span<{ 30 * DAY }>,
    /// How long a session that was looked up is believed without asking the database, at most `1s`.
    /// What this process revokes counts at once; what another one does, after this long. `0s`: not at
    /// all. Default `1s`.
    pub cache_for: Span<1>,
}

/// `mail.*`
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// The sender of every letter. Default `no-reply@` the host of `public_url`.
    pub from: Option<Sender>,
    /// The mail server: `smtps://user:password@host`, or `smtp://…?tls=required` for STARTTLS. Not
    /// set: letters are written to `folder`.
    pub smtp_url: Option<SmtpUrl>,
    /// How long the mail server may take for a letter before it is tried again later. Default 30 s, at
    /// most a minute.
    pub timeout: Span<30>,
    /// Where letters are written as `.eml` files when no server is set. Default `mail` in the data
    /// folder.
    pub folder: Option<PathBuf>,
}

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: None,
            site_name: "Vestibule".into(),
            accent: Accent([0x8a, 0x3b, 0x12]),
            data_dir: "data".into(),
            password: PasswordConfig::default(),
            hashing: HashingConfig::default(),
            session: SessionConfig::default(),
            mail: MailConfig::default(),
            throttle: ThrottleConfig::default(),
            events: EventsConfig::default(),
            trusted_proxies: Vec::new(),
            client_ip_header: "X-Forwarded-For".into(),
            jobs: true,
            hsts: true,
            reveal_reset_token: false,
            port: 8000,
        }
    }
}

impl Default for HashingConfig {
    fn default() -> Self {
        Self { workers: None, max_wait: Span::default(), batch: 4, queue: 256 }
    }
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            free_tries: 5,
            first_wait: Span::default(),
            longest_wait: Span::default(),
            forget_after: Span::default(),
            tries_by_client: 30,
            password_changes: 3,
            letters_to_address: 3,
            letters_by_client: 20,
        }
    }
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self { min_length: 8, min_strength: 3, cost: 12 }
    }
}

impl Config {
    /// Reads the settings out of Rocket's figment.
    ///
    /// # Errors
    /// Names the key, the place and the reason, and never the value: it may be a secret.
    pub(crate) fn read(figment: &Figment) -> Result<Self, ConfigError> {
        let mut config: Self = match figment.find_value("vestibule") {
            Ok(_) => {
                figment.extract_inner("vestibule").map_err(|error| ConfigError::from(&error))?
            }
            Err(_) => Self::default(),
        };
        let rocket =
            rocket::Config::try_from(figment).map_err(|error| ConfigError::from(&error))?;
        config.port = rocket.port;
        config.check(rocket.address)?;
        Ok(config)
    }

    fn check(&self, address: IpAddr) -> Result<(), ConfigError> {
        let refuse = |key: &str, reason: &str| Err(ConfigError(format!("{key} {reason}")));
        if self.public_url.is_none() && !address.is_loopback() {
            return refuse(
                "vestibule.public_url",
                &format!(
                    "must be set when the service listens on {address}: links, cookies and the \
                     cross-site check depend on the address that people use"
                ),
            );
        }
        let local_only = address.is_loopback()
            && self.trusted_proxies.is_empty()
            && self.public_url.as_ref().is_none_or(PublicUrl::is_loopback);
        if self.reveal_reset_token && !local_only {
            return refuse(
                "vestibule.reveal_reset_token",
                "lets anybody take any account: it is refused unless the service listens on \
                 loopback, public_url is unset or a loopback origin, and no proxy is trusted",
            );
        }
        if self.site_name.trim().is_empty() || self.site_name.chars().any(char::is_control) {
            return refuse("vestibule.site_name", "must be a line of text");
        }
        if !(1..=64).contains(&self.password.min_length) {
            return refuse("vestibule.password.min_length", "must be from 1 to 64 (ASVS 6.2.8)");
        }
        if self.password.min_strength > 4 {
            return refuse("vestibule.password.min_strength", "must be from 0 to 4");
        }
        if !(4..=31).contains(&self.password.cost) {
            return refuse("vestibule.password.cost", "must be from 4 to 31");
        }
        if self.session.cache_for.get() > Duration::from_secs(1) {
            return refuse("vestibule.session.cache_for", "must be at most 1s");
        }
        for (key, ttl) in [
            ("idle_ttl", self.session.idle_ttl.get()),
            ("remembered_idle_ttl", self.session.remembered_idle_ttl.get()),
        ] {
            if ttl < Duration::from_secs(120) {
                return refuse(
                    &format!("vestibule.session.{key}"),
                    "must be at least 2min: use is noted once a minute",
                );
            }
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(60)).contains(&self.mail.timeout.get()) {
            return refuse("vestibule.mail.timeout", "must be from 1s to 60s");
        }
        if self.throttle.free_tries < 1 {
            return refuse("vestibule.throttle.free_tries", "must be at least 1");
        }
        for (key, length) in [
            ("hashing.max_wait", self.hashing.max_wait.get()),
            ("throttle.first_wait", self.throttle.first_wait.get()),
        ] {
            if length.is_zero() {
                return refuse(&format!("vestibule.{key}"), "must be longer than nothing");
            }
        }
        if !(1..=6).contains(&self.hashing.batch) {
            return refuse("vestibule.hashing.batch", "must be from 1 to 6");
        }
        if self.hashing.workers == Some(0) {
            return refuse("vestibule.hashing.workers", "must be at least 1");
        }
        Ok(())
    }

    /// The origin that links begin with, without a slash at the end.
    pub fn origin(&self) -> String {
        match &self.public_url {
            Some(url) => url.origin.clone(),
            None => format!("http://localhost:{}", self.port),
        }
    }

    /// Whether a browser that names `origin` shows one of our own pages (RFC 6454, as sent in the
    /// `Origin` header).
    pub fn is_own_origin(&self, origin: &str) -> bool {
        match &self.public_url {
            Some(url) => origin.eq_ignore_ascii_case(&url.origin),
            None => ["localhost", "127.0.0.1", "[::1]"]
                .iter()
                .any(|host| origin == format!("http://{host}:{}", self.port)),
        }
    }

    /// Whether people reach the service by https, whoever ends TLS.
    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.origin.starts_with("https://"))
    }

    /// Where letters are written when no mail server is set.
    pub fn mail_folder(&self) -> PathBuf {
        self.mail.folder.clone().unwrap_or_else(|| self.data_dir.join("mail"))
    }

    /// The sender of every letter, shown under the name of the site.
    pub fn sender(&self) -> Result<Mailbox, ConfigError> {
        if let Some(Sender(mailbox)) = &self.mail.from {
            let name = mailbox.name.clone().unwrap_or_else(|| self.site_name.clone());
            return Ok(Mailbox::new(Some(name), mailbox.email.clone()));
        }
        let host = self.public_url.as_ref().map_or("localhost", PublicUrl::host);
        let address = format!("no-reply@{host}").parse().map_err(|_| {
            ConfigError("vestibule.mail.from must be set: public_url has no host for it".into())
        })?;
        Ok(Mailbox::new(Some(self.site_name.clone()), address))
    }
}

/// Adds the `VESTIBULE_…` variables to `figment`, above every profile. Variables that name no
/// setting are left out and returned: container platforms inject some, so they must not stop a start.
pub(crate) fn with_environment(figment: Figment) -> (Figment, Vec<String>) {
    let prefix = |key: &str| format!("vestibule.{}", key.replace("__", "."));
    let (mut figment, mut unknown) = (figment, Vec::new());
    for (key, value) in Env::prefixed("VESTIBULE_").iter() {
        let name = key.as_str().to_owned();
        if value.is_empty() {
            continue;
        }
        let one = Env::prefixed("VESTIBULE_")
            .only(&[&name])
            .map(move |key| prefix(key.as_str()).into())
            .global();
        match Figment::from(&one).extract_inner::<Config>("vestibule") {
            Err(error) if matches!(error.kind, Kind::UnknownField(..)) => {
                unknown.push(format!("VESTIBULE_{}", name.to_uppercase()));
            }
            _ => figment = figment.merge(one),
        }
    }
    (figment, unknown)
}

/// A setting that stops the start.
#[derive(Debug)]
pub struct ConfigError(String);

impl From<&figment::Error> for ConfigError {
    fn from(error: &figment::Error) -> Self {
        // figment's own words repeat the value that was found; a mistyped `smtp_url` is a secret.
        let reason = match &error.kind {
            Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted) => {
                let is_whole = ["u8", "u16", "u32", "usize", "i64"].contains(&wanted.as_str());
                format!("must be {}", if is_whole { "a whole number" } else { wanted.as_str() })
            }
            Kind::UnknownField(_, known) => {
                format!("is not a setting; here are: {}", known.join(", "))
            }
            Kind::Message(reason) => reason.clone(),
            _ => "can't be read".into(),
        };
        // figment puts the table's name last.
        let mut path = error.path.clone();
        if path.last().is_some_and(|last| last == "vestibule") {
            path.rotate_right(1);
        }
        let key = path.join(".");
        let place = error.metadata.as_ref().map_or_else(String::new, |found| {
            let profile = error.profile.as_ref().filter(|p| *p != Profile::Global);
            let profile = profile.map_or_else(String::new, |p| format!(" [{p}]"));
            match &found.source {
                Some(source) => format!(" ({source}{profile})"),
                None => format!(" ({}{profile})", found.name),
            }
        });
        Self(format!("{key} {reason}{place}"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the setting {}", self.0)
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailConfig").field("from", &self.from).finish_non_exhaustive()
    }
}
