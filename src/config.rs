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
use figment::providers::{Env, Serialized};
use figment::{Figment, Profile};
use lettre::message::Mailbox;
use serde::Deserialize;

pub(crate) use values::is_loopback_host;
pub use values::{Accent, Allowances, DatabaseUrl, Most, Proxy, PublicUrl, Sender, SmtpUrl, Span};

/// The settings of the service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "settings that are on or off")]
pub struct Config {
    /// The origin under which people reach the service, such as `https://accounts.example.com`.
    /// Links in letters, cookie names, `Secure`, HSTS and the cross-site check follow from it. Not
    /// set: `http://localhost:<port>`, and the service listens on loopback only.
    pub public_url: Option<PublicUrl>,
    /// Where the accounts are kept: `postgres://user@host/database`, or `sqlite:` and a file. Not set:
    /// `databases.vestibule.url`, and without that `vestibule.sqlite3` in `data_dir`.
    pub database_url: Option<DatabaseUrl>,
    /// What the pages and letters call the service. Default `Vestibule`.
    #[serde(deserialize_with = "values::text")]
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
    #[serde(deserialize_with = "values::text")]
    pub client_ip_header: String,
    /// For host apps: whether the [`User`](crate::User) guard lets another website's requests change
    /// something on the host's own routes. Default `false`: they are refused with 403.
    pub allow_cross_site: bool,
    /// How long requests are still answered after SIGTERM while `/health/ready` says 503 already, so that a load
    /// balancer notices before the port is closed. Default `0s`: there is one node.
    pub drain: Span<0>,
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
    /// Letters to new accounts that one network can cause at once; so many more leave within an hour, one
    /// by one, and so many may wait for that before sign-ups are refused. Confirmed addresses don't
    /// count. Default 40.
    pub signups_by_client: i64,
    /// Networks with many people behind each address, such as a school: how many times as much their
    /// addresses may do. Default: none.
    pub networks: Allowances,
    /// Most counts that are kept; past it those of least tries are forgotten. Default 1,000,000.
    pub max_rows: i64,
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
    /// Most sessions of one account; one more ends the one that was not used for longest. Default 100.
    pub max_per_account: Most<100>,
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
    /// How long the mail server may take for each step before the letter is tried again later. Default 30 s,
    /// at most a minute. For a letter that it has got: ten minutes.
    pub timeout: Span<30>,
    /// Where letters are written as `.eml` files when no server is set. Default `mail` in the data
    /// folder.
    pub folder: Option<PathBuf>,
}

/// How many times as much people may do who come through a proxy that nobody named: all of them share its
/// address.
const SHARED_ADDRESS: i64 = 20;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: None,
            database_url: None,
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
            allow_cross_site: false,
            drain: Span::default(),
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
            signups_by_client: 40,
            networks: Allowances::default(),
            max_rows: 1_000_000,
        }
    }
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self { min_length: 8, min_strength: 3, cost: 12 }
    }
}

impl PasswordConfig {
    /// The fewest characters of a password that can meet both limits: zxcvbn takes characters without a
    /// pattern for ten guesses each, and its scores begin above 10^3, 10^6, 10^8 and 10^10 guesses.
    pub(crate) fn fewest_characters(&self) -> usize {
        let strong = match self.min_strength {
            0 => 1,
            1 => 4,
            2 => 7,
            3 => 9,
            _ => 11,
        };
        self.min_length.max(strong)
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
        if self.data_dir.as_os_str().is_empty() {
            return refuse("vestibule.data_dir", "must be a folder");
        }
        self.check_proxies().or_else(|(key, reason)| refuse(key, &reason))?;
        self.check_numbers().or_else(|(key, reason)| refuse(&format!("vestibule.{key}"), &reason))
    }

    /// Whoever is believed although they should not be, or in a way that we do not read, can pass for
    /// anybody.
    fn check_proxies(&self) -> Result<(), (&'static str, String)> {
        if self.trusted_proxies.iter().any(Proxy::is_nearly_everybody) {
            let reason = "must be your proxies alone: whoever is in such a large network could say who they \
                          are, and would escape every limit";
            return Err(("vestibule.trusted_proxies", reason.into()));
        }
        let header = &self.client_ip_header;
        if header.is_empty() || !header.bytes().all(is_token_byte) {
            return Err((
                "vestibule.client_ip_header",
                "must be the name of a header, such as X-Forwarded-For".into(),
            ));
        }
        if ["host", "cookie", "user-agent", "origin"]
            .iter()
            .any(|own| header.eq_ignore_ascii_case(own))
        {
            return Err(("vestibule.client_ip_header", "must be a header that proxies set".into()));
        }
        if header.eq_ignore_ascii_case("forwarded") {
            let reason = "must be a header that holds addresses alone, such as X-Forwarded-For or \
                          X-Real-IP: the form of `Forwarded` (RFC 7239) is not read";
            return Err(("vestibule.client_ip_header", reason.into()));
        }
        Ok(())
    }

    /// Whether the service would live, and keep its promises, with these numbers.
    fn check_numbers(&self) -> Result<(), (&'static str, String)> {
        let Self { password, hashing, session, mail, throttle, events, .. } = self;
        let between = |key, n: i128, least: i128, most: i128| {
            if (least..=most).contains(&n) {
                Ok(())
            } else {
                Err((key, format!("must be from {least} to {most}")))
            }
        };
        let as_number = |n: usize| i128::try_from(n).unwrap_or(i128::MAX);
        // ASVS 6.2.8
        between("password.min_length", as_number(password.min_length), 1, 64)?;
        between("password.min_strength", password.min_strength.into(), 0, 4)?;
        // A hash of cost 20 takes a minute; 31 more than a day.
        between("password.cost", password.cost.into(), 4, 20)?;
        between("hashing.workers", as_number(hashing.workers.unwrap_or(1)), 1, 1024)?;
        between("hashing.batch", as_number(hashing.batch), 1, 6)?;
        between("hashing.queue", as_number(hashing.queue), 1, 1_000_000)?;
        for (key, n) in [
            ("throttle.free_tries", throttle.free_tries),
            ("throttle.tries_by_client", throttle.tries_by_client),
            ("throttle.password_changes", throttle.password_changes),
            ("throttle.letters_to_address", throttle.letters_to_address),
            ("throttle.letters_by_client", throttle.letters_by_client),
            ("throttle.signups_by_client", throttle.signups_by_client),
            ("session.max_per_account", session.max_per_account.0),
        ] {
            between(key, n.into(), 1, 1_000_000_000)?;
        }
        between("throttle.max_rows", throttle.max_rows.into(), 1_000, 1_000_000_000)?;
        let lasts = |key, length: Duration, least: Duration, most: Duration| {
            let words = |length| humantime::format_duration(length).to_string();
            if (least..=most).contains(&length) {
                Ok(())
            } else {
                Err((key, format!("must be from {} to {}", words(least), words(most))))
            }
        };
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(DAY));
        let century = 36_500 * day;
        lasts("drain", self.drain.get(), Duration::ZERO, 600 * second)?;
        lasts("hashing.max_wait", hashing.max_wait.get(), Duration::from_nanos(1), 60 * second)?;
        lasts("throttle.first_wait", throttle.first_wait.get(), Duration::from_millis(1), day)?;
        lasts(
            "throttle.longest_wait",
            throttle.longest_wait.get(),
            throttle.first_wait.get(),
            day,
        )?;
        // A bucket that is emptied before its wait is over would end the wait.
        let longest = throttle.longest_wait.get();
        lasts("throttle.forget_after", throttle.forget_after.get(), longest, 366 * day)?;
        // Use is noted once a minute.
        lasts("session.idle_ttl", session.idle_ttl.get(), 120 * second, century)?;
        lasts(
            "session.remembered_idle_ttl",
            session.remembered_idle_ttl.get(),
            120 * second,
            century,
        )?;
        lasts("session.absolute_ttl", session.absolute_ttl.get(), 120 * second, century)?;
        let remembered = session.remembered_absolute_ttl.get();
        lasts("session.remembered_absolute_ttl", remembered, 120 * second, century)?;
        lasts("session.cache_for", session.cache_for.get(), Duration::ZERO, second)?;
        lasts("mail.timeout", mail.timeout.get(), second, 60 * second)?;
        lasts("events.keep_for", events.keep_for.get(), day, century)
    }

    /// Whether this is a proxy that is believed.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|proxy| proxy.is(address))
    }

    /// How many times as much the people at this address may do as those at another.
    pub(crate) fn allowance(&self, address: IpAddr, is_shared: bool) -> i64 {
        let shared = if is_shared { SHARED_ADDRESS } else { 1 };
        self.throttle.networks.of(address).max(shared)
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

    /// Whether people reach the service by a name of its own, and so perhaps through a proxy on this machine.
    pub(crate) fn is_public(&self) -> bool {
        let url = self.public_url.as_ref().and_then(|url| url::Url::parse(&url.origin).ok());
        url.is_some_and(|url| url.host_str().is_some_and(|host| !is_loopback_host(host)))
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

pub(crate) fn check_rocket(figment: &Figment) -> Result<(), ConfigError> {
    let config = rocket::Config::try_from(figment).map_err(|e| ConfigError::from(&e))?;
    for (key, n) in [("workers", config.workers), ("max_blocking", config.max_blocking)] {
        if n == 0 {
            return Err(ConfigError(format!("{key} must be at least 1")));
        }
    }
    if figment.contains("tls") {
        return Err(ConfigError("tls is not read: put a proxy that speaks TLS in front".into()));
    }
    let profile = figment.profile();
    let is_known = ["debug", "release"].iter().any(|known| profile == known)
        || figment.profiles().any(|known| known == profile);
    if !is_known {
        return Err(ConfigError(format!(
            "ROCKET_PROFILE names no profile of Rocket.toml: {profile}"
        )));
    }
    Ok(())
}

/// The cookies of the service.
#[derive(Clone, Copy)]
pub(crate) enum Cookies {
    Session,
    Device,
    Notice,
}

impl Config {
    /// What a cookie is called. With `__Host-` the browser takes it from this very host alone, and by https:
    /// another subdomain can neither plant nor displace it (RFC 6265bis, 4.1.3.2).
    pub(crate) fn cookie_name(&self, cookie: Cookies) -> &'static str {
        match (cookie, self.is_https()) {
            (Cookies::Session, true) => "__Host-session_id",
            (Cookies::Session, false) => "session_id",
            (Cookies::Device, true) => "__Host-vestibule_device",
            (Cookies::Device, false) => "vestibule_device",
            (Cookies::Notice, true) => "__Host-notice",
            (Cookies::Notice, false) => "notice",
        }
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
        // As it stands, if that is a value: figment would read 1901 and `true` as no texts, and 007 as 7.
        let as_text = Serialized::global(&prefix(&name), &value);
        if Figment::from(&as_text).extract_inner::<Config>("vestibule").is_ok() {
            figment = figment.merge(as_text);
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

/// What a header's name may be made of (RFC 9110, 5.6.2).
fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
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

#[cfg(test)]
mod tests {
    use rocket::figment::providers::{Format, Toml};

    use super::*;

    fn read(settings: &str) -> Result<Config, Box<figment::Error>> {
        Figment::from(Toml::string(settings)).extract().map_err(Box::new)
    }

    /// Every setting there is below `table`.
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
        let readme = include_str!("../README.md");
        let (_, table) = readme.split_once("| Setting | Default | What it does |\n").unwrap();
        let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
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
            // Others are told in words.
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
            assert_eq!(config.mail.timeout.get(), default.mail.timeout.get(), "{name}");
        }
        assert!(plain > 30, "{plain}");
    }
}
