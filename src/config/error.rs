//! Why a setting stops the start. `words::settings` has the sentences.

use std::fmt;

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
    /// The file or the variable that it comes from, and the profile.
    pub(crate) place: Option<String>,
}

/// What is wrong. Never the value that was found: it may be a secret.
#[derive(Debug)]
pub(crate) enum Problem {
    Must(Must),
    /// It has another type than the one that figment names.
    MustBeType(String),
    /// It is outside of a range of numbers or lengths of time.
    MustBeWithin {
        least: String,
        most: String,
    },
    /// It is no number of this range.
    MustBeNumber {
        least: u32,
        most: u32,
    },
    /// There is no such setting, but there are these.
    Unknown(&'static [&'static str]),
    /// A former name of this setting.
    Renamed(&'static str),
    /// What the framework says of a setting of its own.
    Refused(String),
    Unreadable,
    Variable(Variable),
    Misread(Misread),
    /// `database_url` and the pool's `url` name two databases.
    TwoDatabases,
    /// A database that is not this service's.
    OtherPool,
    TlsIsNotRead,
    UnknownProfile(String),
    /// The service listens on this address, and nothing says which one people use.
    NoPublicUrl(std::net::IpAddr),
    /// Anybody could take any account.
    RevealsToAnybody,
    /// The sender of messages does not follow from `public_url`.
    NoSender,
    /// PostgreSQL is shared by nodes that need the same key.
    NoSecretKey,
}

/// What a setting must be.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) enum Must {
    WholeNumber,
    AtLeastOne,
    Bool,
    Text,
    Line,
    Folder,
    /// A folder whose path can stand in a URL.
    FolderInUrl,
    Duration,
    Colour,
    Sender,
    SmtpUrl,
    DatabaseUrl,
    PublicUrl,
    Proxies,
    /// Proxies, and not a network of strangers.
    OwnProxies,
    Allowances,
    HeaderName,
    /// A header that clients do not set.
    HeaderOfProxies,
    HeaderOfAddresses,
    DatabaseTable,
    TableWithUrl,
    SecretKey,
}

/// What is wrong with a variable of the environment that is no setting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Variable {
    /// It names a database, and is not read.
    NamesDatabase,
    /// It is `DATABASE_URL`, which is not read.
    IsDatabaseUrl,
    IsEmpty,
    NoSuchFile,
}

/// Why the driver would read another URL than was meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Misread {
    Unreadable,
    /// A `#` or `/` of the password ends it.
    EndsEarly,
    SeveralHosts,
    ParameterTwice,
    /// There is a root certificate, but it would not be used.
    UnusedRootCertificate,
    UnreadableRootCertificate,
    /// The driver passes over a parameter that it does not know.
    UnknownParameter(&'static [&'static str]),
}

impl ConfigError {
    pub(crate) fn new(key: &str, problem: Problem) -> Self {
        Self { name: key.to_owned(), problem, place: None }
    }

    pub(crate) fn must(key: &str, must: Must) -> Self {
        Self::new(key, Problem::Must(must))
    }
}

/// An error of serde holds a text and nothing else. So what a value must be passes through it by its name.
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

impl From<&figment::Error> for ConfigError {
    fn from(error: &figment::Error) -> Self {
        // figment puts the table's name last.
        let mut path = error.path.clone();
        if path.last().is_some_and(|last| last == "vestibule") {
            path.rotate_right(1);
        }
        let name = path.join(".");
        let new_name = name.strip_prefix("vestibule.").and_then(new_name);
        // figment's own words repeat the value that was found; a mistyped `smtp_url` is a secret.
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
                Must::named(text).map_or_else(|| Problem::Refused(text.clone()), Problem::Must)
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
