//! `vestibule check`: what a start would find, without making or changing anything.

use std::fmt;

use figment::{Figment, Source};

use super::settings::{SecretKey, Settings};
use crate::auth::{Inspection, Key, Tables, ThrottleKey, inspect};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::mail::MailError;
use crate::private_files;

/// What a start would find.
#[derive(Default)]
pub struct Report {
    /// One for each thing that was looked at.
    pub findings: Vec<Finding>,
    /// Why a start would fail, in the words of the start; `None` if it would succeed.
    pub refusal: Option<String>,
}

/// Something that was looked at.
pub struct Finding {
    /// What it is.
    pub topic: &'static str,
    /// How it is.
    pub text: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { topic, text } in &self.findings {
            writeln!(f, "{topic:16} {text}")?;
        }
        match &self.refusal {
            None => f.write_str("A start would succeed."),
            Some(reason) => write!(f, "A start would fail: {reason}"),
        }
    }
}

impl Report {
    fn say(&mut self, topic: &'static str, text: impl Into<String>) {
        self.findings.push(Finding { topic, text: text.into() });
    }

    /// Keeps the first reason: at that one a start would stop.
    fn note<T>(&mut self, looked: Result<T, String>) -> Option<T> {
        looked.map_err(|reason| self.refusal.get_or_insert(reason)).ok()
    }
}

/// Looks at all that a start would use, in the same order.
pub(crate) async fn check(figment: Figment) -> Report {
    let mut report = Report::default();
    report.say("version", env!("CARGO_PKG_VERSION"));
    report.say("settings", sources(&figment));
    report.note(config::check_rocket(&figment).map_err(|e| e.to_string()));
    let (figment, unknown) = config::with_environment(figment);
    for name in unknown {
        report.say("unknown setting", format!("{name} names no setting and is not used"));
    }
    let settings = Settings::read(figment, true).map_err(|e| e.to_string());
    let Some(settings) = report.note(settings) else { return report };
    look_at_files(&settings, &mut report).await;
    look_at_config(&settings.config, &mut report);
    report
}

/// The data folder, the secret key and the database.
async fn look_at_files(settings: &Settings, report: &mut Report) {
    let folder = &settings.config.data_dir;
    let exists = if folder.exists() { "" } else { ", not there yet: a start makes it" };
    report.say("data folder", format!("{}{exists}", folder.display()));
    report.note(private_files::check_folder(folder).map_err(|e| settings.no_data_folder(&e)));

    let own_key = report.note(secret_key(settings)).flatten().map(|key| ThrottleKey::new(&key));
    let found = inspect(&settings.figment, folder, own_key.as_ref(), &Clock::default()).await;
    report.say("database", settings.database.described());
    let found = report.note(found);
    if let Some(None) = &found {
        report.say("tables", "not there yet: a start makes them");
    }
    let found = found.flatten();
    let compared = found.as_ref().map_or(Key::First, |found| found.key);
    report.say("secret key", key(compared, own_key.is_some(), settings.database.is_postgres()));
    let Some(found) = found else { return };
    report.say("tables", tables(&found));
    match (found.accounts, found.tables) {
        (Some(accounts), _) => report.say("accounts", accounts.to_string()),
        (None, Tables::Missing) => {}
        (None, _) => report.say("accounts", "could not be counted"),
    }
    if let Some(difference) = found.clock_difference {
        let difference = humantime::format_duration(difference);
        report.say("clock", format!("{difference} away from the database's"));
    }
    report.note(found.check());
}

/// The secret key, if there is one already.
fn secret_key(settings: &Settings) -> Result<Option<String>, String> {
    let path = match settings.secret_key()? {
        SecretKey::Set(key) => return Ok(Some(key)),
        SecretKey::File(path) => path,
    };
    let key = if path.exists() {
        private_files::read_secret_key(&path).map(Some)
    } else {
        let folder = private_files::parent(&path);
        let writable = if folder.exists() { private_files::check_writable(folder) } else { Ok(()) };
        writable.map(|()| None)
    };
    key.map_err(|e| settings.no_secret_key(&e))
}

fn tables(found: &Inspection) -> String {
    let version = found.version.unwrap_or_default();
    match found.tables {
        Tables::Missing => "not there yet: a start or `vestibule migrate` makes them".into(),
        Tables::OfVersion01 => {
            "of version 0.1: a start or `vestibule migrate` takes them over".into()
        }
        Tables::Older => {
            format!(
                "version {version}, older than this program: a start or `vestibule migrate` changes them"
            )
        }
        Tables::Current => format!("version {version}, as this program has them"),
        Tables::Newer => {
            format!("version {version}, of a later program: this one can work with them")
        }
    }
}

fn key(key: Key, is_present: bool, is_shared: bool) -> &'static str {
    match key {
        Key::Same if is_shared => "present, the same as the other nodes have",
        Key::Same => "present, the same as before",
        Key::Other if is_shared => "present, another one than the other nodes have",
        Key::Other => "present, another one than before: a start signs everybody out",
        Key::First if is_present => "present",
        Key::First if is_shared => "not set",
        Key::First => "not there yet: a start makes it",
    }
}

/// What needs no look at anything but the settings.
fn look_at_config(config: &Config, report: &mut Report) {
    if let Some(url) = &config.mail.smtp_url {
        report.say("mail", format!("by the server {}", url.described()));
    } else {
        let folder = config.mail_folder();
        report.say("mail", format!("into the folder {}: it reaches nobody", folder.display()));
        let made = private_files::check_folder(&folder);
        report.note(made.map_err(|e| MailError::Folder(e).to_string()));
    }
    report.note(config.sender().map_err(|e| e.to_string()));
    report.say("public address", config.origin());
    let proxies: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    report.say(
        "trusted proxies",
        if proxies.is_empty() { "none".into() } else { proxies.join(", ") },
    );
}

/// The file and the variables that settings come from. Only names: a value may be a secret.
fn sources(figment: &Figment) -> String {
    let files = figment.metadata().filter_map(|metadata| match &metadata.source {
        Some(Source::File(path)) => Some(path.display().to_string()),
        _ => None,
    });
    let ours = |name: &String| name.starts_with("VESTIBULE_") || name.starts_with("ROCKET_");
    let mut variables: Vec<String> = std::env::vars_os()
        .filter_map(|(name, value)| name.into_string().ok().filter(|_| !value.is_empty()))
        .filter(ours)
        .collect();
    variables.sort();
    let all: Vec<String> = files.chain(variables).collect();
    let profile = figment.profile();
    if all.is_empty() {
        return format!("profile {profile}; all have their defaults");
    }
    format!("profile {profile}; from {}", all.join(", "))
}
