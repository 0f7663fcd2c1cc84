//! Settings that stop the start.

use std::fmt;

use crate::config::{ConfigError, Misread, Must, Problem, Variable};

/// Host apps print this public error, so its sentence is its `Display`.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = problem(&self.name, &self.problem);
        match &self.place {
            Some(place) => write!(f, "{sentence} ({place})"),
            None => f.write_str(&sentence),
        }
    }
}

fn problem(key: &str, problem: &Problem) -> String {
    match problem {
        Problem::Must(is) => must(key, *is),
        Problem::MustBeType(wanted) if wanted.starts_with("struct ") => {
            format!("the setting {key} must be a table")
        }
        Problem::MustBeType(wanted) => format!("the setting {key} must be {wanted}"),
        Problem::MustBeWithin { least, most } => {
            format!("the setting {key} must be from {least} to {most}")
        }
        Problem::MustBeNumber { least, most } => {
            format!("the setting {key} must be a number from {least} to {most}")
        }
        Problem::Unknown(known) => {
            format!("there is no setting {key}; these exist: {}", known.join(", "))
        }
        Problem::Renamed(new) => format!("the setting {key} was renamed to vestibule.{new}"),
        Problem::Refused(reason) if key.is_empty() => {
            format!("the settings cannot be read: {reason}")
        }
        Problem::Refused(reason) => format!("the setting {key} cannot be read: {reason}"),
        Problem::Unreadable => format!("the setting {key} cannot be read"),
        Problem::Variable(wrong) => variable(key, *wrong),
        Problem::Misread(wrong) => misread(key, *wrong),
        Problem::NotBuiltIn(feature) => format!(
            "the setting {key} needs the feature `{feature}`, and this program is built without it"
        ),
        Problem::NoDatabase => format!(
            "the setting {key} must name a PostgreSQL database: this program is built without the feature \
             `sqlite`, and cannot keep accounts in a file"
        ),
        Problem::TwoDatabases => format!(
            "the setting {key} names a different database from databases.vestibule.url; set only one of them"
        ),
        Problem::OtherPool => format!(
            "the setting {key} names no database of this service; the only one is databases.vestibule"
        ),
        Problem::TlsIsNotRead => {
            format!("the setting {key} is not read: put a proxy with TLS in front")
        }
        Problem::UnknownProfile(profile) => {
            format!("the setting {key} names no profile of Rocket.toml: {profile}")
        }
        Problem::NoPublicUrl(address) => format!(
            "the setting {key} must be set when the service listens on {address}: links, cookies and the \
             cross-site check depend on the address that people use"
        ),
        Problem::RevealsToAnybody => format!(
            "the setting {key} lets anybody take any account: it is refused unless the service listens on \
             loopback, public_url is unset or a loopback origin, and no proxy is trusted"
        ),
        Problem::NoFile(error) => {
            format!("the setting {key} names a file that cannot be read: {error}")
        }
        Problem::NoSender => {
            format!("the setting {key} must be set: public_url has no host name for it")
        }
        Problem::SecretFile(error) => {
            format!("the variable {key} names a file that cannot be used: {error}")
        }
        Problem::SetTwice(variable) => {
            format!("the variables {variable} and {key} are both set; set one of them")
        }
        Problem::UnusedAuthority => format!(
            "the setting {key} would not be used: mail.smtp_url is not set, or does not use TLS"
        ),
        Problem::NoSecretKey => format!(
            "the setting {key} must be set when the database is PostgreSQL, the same for every node (make \
             one with `openssl rand -base64 32`)"
        ),
    }
}

/// How to put a password into a URL.
const SPECIAL_CHARACTERS: &str = "write special characters of the user and the password as %xx (@ is %40, / is %2F, # is %23, ? is %3F, : is %3A, \
     % is %25)";

fn must(key: &str, must: Must) -> String {
    match must {
        Must::WholeNumber => format!("the setting {key} must be a whole number"),
        Must::AtLeastOne => format!("the setting {key} must be at least 1"),
        Must::Bool => format!("the setting {key} must be true or false"),
        Must::Text => format!("the setting {key} must be a text"),
        Must::Line => format!("the setting {key} must be a line of text"),
        Must::Folder => format!("the setting {key} must be a folder"),
        Must::FolderInUrl => {
            format!("the setting {key} must be a folder whose path can be written in a URL")
        }
        Must::Duration => {
            format!("the setting {key} must be a duration such as 90s, 15min, 12h or 14days")
        }
        Must::Colour => format!("the setting {key} must be a colour such as #8a3b12"),
        Must::Link => format!(
            "the setting {key} must be a path such as /about, a URL such as https://example.com/about, or mailto: \
             and an address"
        ),
        Must::Page => {
            format!(
                "the setting {key} must be a path such as /start, or a URL such as https://example.com"
            )
        }
        Must::Logo => format!(
            "the setting {key} must be a file of at most 1 MiB that ends in .svg, .png, .jpg, .webp, .avif or .gif"
        ),
        Must::Zone => format!("the setting {key} must be a time zone such as Europe/Berlin or UTC"),
        Must::Style => format!("the setting {key} must be a file with CSS of at most 1 MiB"),
        Must::Sender => {
            format!(
                "the setting {key} must be an address such as accounts@example.com, without accents before the @"
            )
        }
        Must::SmtpUrl => format!(
            "the setting {key} must be smtps://user:password@host or smtp://user:password@host:587: \
             {SPECIAL_CHARACTERS}. The user and the password may be left out together; smtp:// may end in \
             ?tls=required, ?tls=none, or without a password ?tls=opportunistic"
        ),
        Must::DatabaseUrl => format!(
            "the setting {key} must be sqlite: and a file, or postgres://user@host/database"
        ),
        Must::PublicUrl => format!(
            "the setting {key} must be an origin without a path, such as https://accounts.example.com"
        ),
        Must::Proxies => format!(
            "the setting {key} must be addresses or networks such as 10.0.0.1 or 10.0.0.0/8"
        ),
        Must::OwnProxies => format!(
            "the setting {key} must be your proxies alone: a client in such a large network could name any \
             address as its own, and would escape every limit"
        ),
        Must::Allowances => format!(
            "the setting {key} must be how many times as much a network may do, such as 203.0.113.0/24=10"
        ),
        Must::CookieName => format!(
            "the setting {key} must have only letters, digits, hyphens and underscores, not begin with two \
             underscores, and be no name of another cookie of the service"
        ),
        Must::Hsts => format!(
            "the setting {key} must be \"off\", \"host\" or \"subdomains\": what was true is now \"subdomains\", and \
             false is \"off\""
        ),
        Must::SignUps => {
            format!("the setting {key} must be \"open\", \"invite\" or \"closed\"")
        }
        Must::Verification => {
            format!("the setting {key} must be \"optional\" or \"required\"")
        }
        Must::EmailDomain => {
            format!("the setting {key} must be domains of email addresses, such as example.com")
        }
        Must::Hello => {
            format!("the setting {key} must be a host name such as accounts.example.com")
        }
        Must::HeaderName => {
            format!("the setting {key} must be the name of a header, such as X-Forwarded-For")
        }
        Must::HeaderOfProxies => format!("the setting {key} must be a header that proxies set"),
        Must::HeaderOfAddresses => format!(
            "the setting {key} must be a header that holds addresses alone, such as X-Forwarded-For or \
             X-Real-IP: the form of `Forwarded` (RFC 7239) is not read"
        ),
        Must::DatabaseTable => format!(
            "the setting {key} must be a table such as \
             {{vestibule={{url=\"postgres://user@host/database\"}}}}"
        ),
        Must::TableWithUrl => format!("the setting {key} must be a table with a `url`"),
        Must::SecretKey => format!("the setting {key} must be a text, in base64 or hex"),
    }
}

fn variable(name: &str, wrong: Variable) -> String {
    match wrong {
        Variable::NamesDatabase => format!(
            "the variable {name} names a database, but is not read here: use VESTIBULE_DATABASE_URL"
        ),
        Variable::IsDatabaseUrl => format!(
            "the variable {name} is set, but is not read here: name the database of this service in \
             VESTIBULE_DATABASE_URL, or unset it"
        ),
        Variable::IsSecretKey => format!(
            "the variable {name} is not read: use ROCKET_SECRET_KEY, or ROCKET_SECRET_KEY_FILE"
        ),
        Variable::IsEmpty => {
            format!("the variable {name} is set, but empty: name a database, or unset it")
        }
        Variable::NoSuchFile => format!("the variable {name} names a file that is not there"),
    }
}

fn misread(key: &str, wrong: Misread) -> String {
    match wrong {
        Misread::Unreadable => {
            format!("the setting {key} cannot be read: {SPECIAL_CHARACTERS}, and name one host")
        }
        Misread::EndsEarly => {
            format!("the setting {key} is ambiguous: {SPECIAL_CHARACTERS}")
        }
        Misread::SeveralHosts => format!(
            "the setting {key} names several hosts; name one, such as an address that always leads to the \
             primary"
        ),
        Misread::ParameterTwice => format!("the setting {key} names a parameter twice"),
        Misread::UnusedRootCertificate => format!(
            "the setting {key} has sslrootcert, which has an effect only with sslmode=verify-full or verify-ca"
        ),
        Misread::UnreadableRootCertificate => {
            format!("the setting {key} names an sslrootcert that cannot be read")
        }
        Misread::SqliteParameter => format!(
            "the setting {key} must be sqlite: and a file, without parameters after a question mark except mode=rwc"
        ),
        Misread::UnknownParameter(known) => format!(
            "the setting {key} has an unknown parameter; the known ones are: {}",
            known.join(", ")
        ),
    }
}

/// A variable that does not stop the start: container platforms set some.
pub(crate) fn unknown_variable(name: &str) -> String {
    format!("the variable {name} names no setting and is not used")
}
