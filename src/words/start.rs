//! The log of a start: its progress, and why it stops.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::auth::{OpenError, Unusable};
use crate::config::DatabasePlace;
use crate::error::error_chain;
use crate::mail::MailError;
use crate::server::{NotServed, ServeError};
use crate::setup::StartError;

/// Why the service does not start.
pub(crate) fn refusal(error: &StartError) -> String {
    match error {
        StartError::Config(error) => error.to_string(),
        StartError::DataFolder { folder, error } => {
            format!("the data folder {} cannot be created: {error}", folder.display())
        }
        StartError::SecretKey { folder, error } => {
            format!("the secret key in {} cannot be stored: {error}", folder.display())
        }
        StartError::Mail(error) => mail(error),
        StartError::Accounts(error) => accounts(error),
        StartError::DatabaseIsNotOpen => "the database is not open".into(),
        StartError::AttachedTwice => {
            "vestibule::stage() is attached twice: a Rocket can have only one".into()
        }
        StartError::NoPath(path) => format!(
            "the service cannot be mounted at {path:?}: the path must begin with a slash, end without one, and have \
             only letters, digits, hyphens and underscores between slashes, such as /accounts"
        ),
    }
}

fn mail(error: &MailError) -> String {
    match error {
        MailError::SmtpUrl => "the setting vestibule.mail.smtp_url is not usable".into(),
        MailError::Tls(reason) => {
            format!(
                "the setting vestibule.mail.smtp_url needs TLS, which is not available: {reason}"
            )
        }
        MailError::CaFile(error) => {
            format!("the setting vestibule.mail.ca_file names a file that cannot be used: {error}")
        }
        MailError::Folder(error) => format!("the folder for messages cannot be used: {error}"),
        MailError::Sender(error) => error.to_string(),
    }
}

fn accounts(error: &OpenError) -> String {
    match error {
        OpenError::HashThreads(error) => {
            format!("the threads that hash passwords cannot start: {error}")
        }
        OpenError::Failed(error) => error_chain(error),
        OpenError::Database(error) => error.to_string(),
        OpenError::ClockDiffers(difference) => format!(
            "the clock of this machine is {} away from the database's: sessions, links and waits would \
             begin and end at the wrong time. Set the clock (NTP) and start again",
            humantime::format_duration(Duration::from_secs(difference.as_secs()))
        ),
        OpenError::OtherKey => {
            "this node has another secret_key than those that used this database before: sessions would \
             not be valid on all nodes. Give all nodes the same one. If the key was changed on purpose, stop all \
             nodes and run `UPDATE vestibule_health SET key_fingerprint = NULL`"
                .into()
        }
    }
}

/// Host apps print this public error, so its sentence is its `Display`.
impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            NotServed::Config(error) => error.fmt(f),
            NotServed::Listen { address, error } => {
                write!(f, "cannot listen on {address}: {error}")
            }
            NotServed::Rocket(reason) => f.write_str(reason),
        }
    }
}

/// Rocket prints why the pool cannot be opened, so the sentence is the `Display` of the error.
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TablesTooOld => f.write_str(
                "the tables are older than this version, and databases.vestibule.migrate is false: run \
                 `vestibule migrate` as their owner",
            ),
            Self::Unfinished { version } => write!(
                f,
                "_sqlx_migrations does not say that migration {version} of version 0.1 was done: its row is \
                 missing, or has success = false. Restore a backup, or correct the row if the tables are whole"
            ),
            Self::DependsOnOldTables(name) => write!(
                f,
                "{name} depends on a table of version 0.1, which this version replaces: remove it, run \
                 `vestibule migrate`, and create it again for the new table, such as vestibule_users"
            ),
            Self::ForeignColumn { table, column } => write!(
                f,
                "the table {table} of version 0.1 has a column {column} that is not ours, and this version replaces \
                 the table: copy the column to a table of your own, drop it, and run `vestibule migrate`"
            ),
            #[cfg(feature = "sqlite")]
            Self::LockIsHeld(path) => {
                write!(f, "another process holds the lock {} and does not release it", path.display())
            }
            Self::NotBuiltIn => f.write_str("the engine of the database is not built into this program"),
        }
    }
}

/// Where the database is.
pub(crate) fn database(place: &DatabasePlace) -> String {
    match place {
        DatabasePlace::SqliteFile(file) => format!("the SQLite file {file}"),
        DatabasePlace::PostgresServer { server, name } => {
            format!("PostgreSQL at {server}, database {name:?}")
        }
        DatabasePlace::PostgresSocket { port, name } => {
            format!("PostgreSQL at a local socket{port}, database {name:?}")
        }
        DatabasePlace::Postgres => "PostgreSQL".into(),
    }
}

/// Routes of an app with the same path and rank, and catchers for the same errors.
pub(crate) fn collisions(routes: &str, catchers: &str) -> String {
    if routes.is_empty() {
        return format!(
            "these catchers collide: {catchers}. vestibule::catchers() has one for 401 and a default: leave out those \
             that you have yourself, by their `code`"
        );
    }
    format!(
        "these routes collide: {routes}. Those of Vestibule have the rank -9: give a route of yours a lower rank to \
         replace one on purpose"
    )
}

/// In a debug build of a host app.
pub(crate) fn slow_hashes(takes: Duration) -> String {
    format!(
        "hashing a password takes {:.1} s in this build, and so does signing in: add a table \
         [profile.dev.package.eksblowfish] with opt-level = 3 to your Cargo.toml",
        takes.as_secs_f64()
    )
}

/// A guard is used without the stage.
pub(crate) const NOT_ATTACHED: &str =
    "a route has a guard of Vestibule, but vestibule::stage() is not attached";

pub(crate) fn accounts_are_kept_in(place: &DatabasePlace) -> String {
    format!("accounts are kept in {}", database(place))
}

pub(crate) fn messages_into_folder(folder: &Path) -> String {
    format!("no mail server is set: emails reach nobody. {}", how_to_read(folder))
}

/// How to read the emails in a folder.
pub(crate) fn how_to_read(folder: &Path) -> String {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    format!(
        "Each is a file in {} that ends in .eml and that a mail program or a text editor opens, as the user of this \
         service; it is removed after a day. To send emails, set mail.smtp_url",
        folder.display()
    )
}

/// The same during development.
pub(crate) fn links_are_shown(folder: &Path) -> String {
    let folder = folder.display();
    format!("no mail server is set: emails are written to {folder}, and their links are shown here")
}

pub(crate) const TOKENS_ARE_REVEALED: &str = "reveal_reset_token is on: ANYBODY WHO CAN REACH THIS SERVICE CAN TAKE ANY ACCOUNT. Never put it behind a proxy: \
     strangers would look like this machine";

pub(crate) const DOMAINS_ARE_NOT_PROVEN: &str = "signup_domains is set, but verification is not \"required\": anybody can \
     sign up with an address at these domains, whether it is theirs or not";

pub(crate) const NO_TRUSTED_PROXY: &str = "public_url is set but no proxy is trusted: all who come by a proxy on \
     this machine or a private network share one limit; set trusted_proxies";

/// The service is ready.
pub(crate) fn listening(ip: IpAddr, port: u16, origin: &str) -> String {
    format!("listening on {ip} port {port}; people reach it at {origin}")
}

/// The beginning of the error of `vestibule migrate`, before the reason.
pub(crate) const TABLES_NOT_CHANGED: &str = "the tables were not changed";
