//! Why a setting stops the start. Its sentences are in `words::settings`.

use std::fmt;
use std::io;

use figment::Profile;
use figment::error::Kind;
use serde::Deserialize;
use serde::de::IntoDeserializer;

use super::environment::new_name;

/// A setting that stops the start.
#[derive(Debug)]
pub struct ConfigError {
    /// The key of the setting, or the name of the variable.
    pub(crate) name: String,
    pub(crate) problem: Problem,
    /// The file or variable of the value, and the profile.
    pub(crate) place: Option<String>,
}

/// What is wrong. Never contains the value, which may be a secret.
#[derive(Debug)]
pub(crate) enum Problem {
    Must(Must),
    /// It must have this type, in figment's words.
    MustBeType(String),
    /// A number or duration is out of range.
    MustBeWithin {
        least: String,
        most: String,
    },
    /// It is not a number in this range.
    MustBeNumber {
        least: u32,
        most: u32,
    },
    /// There is no such setting; these exist.
    Unknown(&'static [&'static str]),
    /// The setting now has this name.
    Renamed(&'static str),
    /// Another library's message about its own setting.
    Refused(String),
    Unreadable,
    Variable(Variable),
    Misread(Misread),
    /// It needs this feature of the crate, which is not built in.
    NotBuiltIn(&'static str),
    /// Without it the database would be a SQLite file, and SQLite is not built in.
    NoDatabase,
    /// `database_url` and the pool's `url` are different databases.
    TwoDatabases,
    /// The settings belong to the database of another service.
    OtherPool,
    TlsIsNotRead,
    UnknownProfile(String),
    /// The service listens on this address without a `public_url`.
    NoPublicUrl(std::net::IpAddr),
    /// Anybody could take over any account.
    RevealsToAnybody,
    /// It names a file that cannot be read.
    NoFile(std::io::Error),
    /// No sender can be derived from `public_url`.
    NoSender,
    /// PostgreSQL is shared by nodes, which need the same key.
    NoSecretKey,
    /// The file of a secret cannot be read.
    SecretFile(io::Error),
    /// A secret is in this variable, and in a file as well.
    SetTwice(&'static str),
    /// The authority of a mail server would not be used: no TLS is spoken.
    UnusedAuthority,
}

/// The description of a valid value.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) enum Must {
    WholeNumber,
    AtLeastOne,
    Bool,
    Text,
    Line,
    Folder,
    /// A folder whose path is valid in a URL.
    FolderInUrl,
    Duration,
    Colour,
    Link,
    /// A link, but not to a mail program.
    Page,
    /// A file with an image.
    Logo,
    /// A name of the IANA time zone database.
    Zone,
    /// A file with CSS.
    Style,
    Sender,
    SmtpUrl,
    DatabaseUrl,
    PublicUrl,
    Proxies,
    /// Proxies, but no network that includes strangers.
    OwnProxies,
    Allowances,
    HeaderName,
    CookieName,
    /// How far browsers insist on https.
    Hsts,
    /// Who may sign up.
    SignUps,
    /// Whether addresses have to be verified.
    Verification,
    /// A domain of email addresses.
    EmailDomain,
    /// A name in `EHLO`.
    Hello,
    /// A header that clients do not set.
    HeaderOfProxies,
    HeaderOfAddresses,
    DatabaseTable,
    TableWithUrl,
    SecretKey,
}

/// What is wrong with an environment variable that is not a setting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Variable {
    /// It looks like a database setting, but is not read.
    NamesDatabase,
    /// `DATABASE_URL` is not read.
    IsDatabaseUrl,
    /// The secret key is a setting of Rocket.
    IsSecretKey,
    IsEmpty,
    NoSuchFile,
}

/// Why the driver would misinterpret a URL.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Misread {
    Unreadable,
    /// An unescaped `#` or `/` in the password ends it.
    EndsEarly,
    SeveralHosts,
    ParameterTwice,
    /// There is a root certificate that would not be used.
    UnusedRootCertificate,
    UnreadableRootCertificate,
    /// The driver ignores parameters that it does not know.
    UnknownParameter(&'static [&'static str]),
    /// A SQLite file with parameters, such as one that makes it read-only.
    SqliteParameter,
}

impl ConfigError {
    pub(crate) fn new(key: &str, problem: Problem) -> Self {
        Self { name: key.to_owned(), problem, place: None }
    }

    pub(crate) fn must(key: &str, must: Must) -> Self {
        Self::new(key, Problem::Must(must))
    }
}

/// An error of serde can only hold text, so the variant is passed through it by name.
impl fmt::Display for Must {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Must {
    fn named(name: &str) -> Option<Self> {
        let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
            name.into_deserializer();
        Self::deserialize(name).ok()
    }
}

impl ConfigError {
    /// The error of a setting that figment could not read.
    pub(crate) fn of(error: &figment::Error) -> Self {
        // figment puts the table's name last.
        let mut path = error.path.clone();
        if path.last().is_some_and(|last| last == "vestibule") {
            path.rotate_right(1);
        }
        // A secret may be where a name should be.
        let is_name =
            |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        let shown = path.iter().map(|part| if is_name(part) { part } else { "…" });
        let name = shown.collect::<Vec<_>>().join(".");
        let new_name = name.strip_prefix("vestibule.").and_then(new_name);
        // figment's own message repeats the value; a mistyped `smtp_url` is a secret.
        let problem = match &error.kind {
            Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted) => {
                let is_whole = ["u8", "u16", "u32", "usize", "i64"].contains(&wanted.as_str());
                if is_whole {
                    Problem::Must(Must::WholeNumber)
                } else {
                    Problem::MustBeType(wanted.clone())
                }
            }
            Kind::UnknownField(_, known) => {
                new_name.map_or(Problem::Unknown(known), Problem::Renamed)
            }
            Kind::Message(text) => {
                // The first line alone: below it, a parse error of TOML quotes the line of the file.
                let first = text.lines().next().unwrap_or_default();
                Must::named(text).map_or_else(|| Problem::Refused(first.to_owned()), Problem::Must)
            }
            _ => Problem::Unreadable,
        };
        let place = error.metadata.as_ref().map(|found| {
            let place =
                found.source.as_ref().map_or_else(|| found.name.to_string(), ToString::to_string);
            match error.profile.as_ref().filter(|profile| **profile != Profile::Global) {
                Some(profile) => format!("{place} [{profile}]"),
                None => place,
            }
        });
        Self { name, problem, place }
    }
}

impl std::error::Error for ConfigError {}
