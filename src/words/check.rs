//! The output of `vestibule check`.

use super::start;
use crate::auth::{CannotWrite, Key, Tables};
use crate::setup::{Finding, StartError};

pub(crate) const WOULD_SUCCEED: &str = "A start would succeed.";

pub(crate) fn would_fail(error: &StartError) -> String {
    format!("A start would fail: {}", start::refusal(error))
}

/// The name of a checked item.
pub(crate) fn topic(finding: &Finding) -> &'static str {
    match finding {
        Finding::Version(_) => "version",
        Finding::Settings { .. } => "settings",
        Finding::UnknownVariable(_) => "unknown setting",
        Finding::DataFolder { .. } => "data folder",
        Finding::Database(_) => "database",
        Finding::Damage(_) => "damage",
        Finding::CannotWrite(_) => "rights",
        Finding::SecretKey { .. } => "secret key",
        Finding::NoDatabase | Finding::Tables { .. } => "tables",
        Finding::Accounts(_) => "accounts",
        Finding::Clock(_) => "clock",
        Finding::MailServer(_) | Finding::MailFolder(_) => "mail",
        Finding::PublicAddress(_) => "public address",
        Finding::TrustedProxies(_) => "trusted proxies",
    }
}

/// The state of a checked item.
pub(crate) fn text(finding: &Finding) -> String {
    match finding {
        Finding::Version(version) => (*version).into(),
        Finding::Settings { profile, sources } if sources.is_empty() => {
            format!("profile {profile}; all have their defaults")
        }
        Finding::Settings { profile, sources } => {
            format!("profile {profile}; from {}", sources.join(", "))
        }
        Finding::UnknownVariable(name) => format!("{name} names no setting and is not used"),
        Finding::DataFolder { folder, exists: true } => folder.display().to_string(),
        Finding::DataFolder { folder, exists: false } => {
            format!("{}, not there yet: a start creates it", folder.display())
        }
        Finding::Database(place) => start::database(place),
        Finding::CannotWrite(CannotWrite::ReadOnly) => {
            "POSTGRESQL TAKES NO WRITES: this role has default_transaction_read_only, or the server is a standby"
                .into()
        }
        Finding::CannotWrite(CannotWrite::Table(table)) => format!(
            "THIS ROLE CANNOT WORK WITH THE TABLES: GRANT SELECT, INSERT, UPDATE, DELETE ON vestibule_{table} TO it, \
             as its owner"
        ),
        Finding::Damage(damage) => {
            format!("THE DATABASE FILE IS DAMAGED, restore a backup: {}", damage.replace('\n', " "))
        }
        Finding::SecretKey { key, is_present, is_shared } => {
            secret_key(*key, *is_present, *is_shared).into()
        }
        Finding::NoDatabase => "not there yet: a start creates them".into(),
        Finding::Tables { tables, version } => describe_tables(*tables, *version),
        Finding::Accounts(Some(count)) => count.to_string(),
        Finding::Accounts(None) => "could not be counted".into(),
        Finding::Clock(difference) => {
            format!("{} away from the database's", humantime::format_duration(*difference))
        }
        Finding::MailServer(url) => format!("by the server {url}"),
        Finding::MailFolder(folder) => {
            format!(
                "into the folder {}: it reaches nobody. {}",
                folder.display(),
                start::how_to_read(folder)
            )
        }
        Finding::PublicAddress(origin) => origin.clone(),
        Finding::TrustedProxies(proxies) if proxies.is_empty() => "none".into(),
        Finding::TrustedProxies(proxies) => proxies.join(", "),
    }
}

fn describe_tables(tables: Tables, version: i64) -> String {
    match tables {
        Tables::Missing => "not there yet: a start or `vestibule migrate` creates them".into(),
        Tables::OfVersion01 => {
            "of version 0.1: a start or `vestibule migrate` upgrades them".into()
        }
        Tables::Older => format!(
            "version {version}, older than this program: a start or `vestibule migrate` upgrades them"
        ),
        Tables::Current => format!("version {version}, up to date"),
        Tables::Newer => {
            format!("version {version}, of a later version: this program can work with them")
        }
    }
}

fn secret_key(key: Key, is_present: bool, is_shared: bool) -> &'static str {
    match (key, is_shared) {
        (Key::Same, true) => "present, the same as the other nodes have",
        (Key::Same, false) => "present, the same as before",
        (Key::Other, true) => "present, not the one that the other nodes have",
        (Key::Other, false) => "present, not the one from before: a start signs everybody out",
        (Key::First, _) if is_present => "present",
        (Key::First, true) => "not set",
        (Key::First, false) => "not there yet: a start creates it",
    }
}
