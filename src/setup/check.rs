//! `vestibule check`: reports what a start would find, without creating or changing anything.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use figment::{Figment, Source};

use super::StartError;
use super::settings::{SecretKey, Settings};
use crate::auth::{CannotWrite, Key, Tables, ThrottleKey, inspect};
use crate::clock::Clock;
use crate::config::{self, Config, DatabasePlace, EmailDomain, SignUps};
use crate::mail::{self, MailError};
use crate::{private_files, web, words};

/// The result of the check. Its `Display` has one line for each finding, and whether a start would succeed.
#[derive(Default)]
pub struct Report {
    findings: Vec<Finding>,
    /// Why a start would fail.
    refusal: Option<StartError>,
}

/// A checked item and its state.
pub(crate) enum Finding {
    Version(&'static str),
    /// The files and variables that the settings come from. Only their names: a value may be a secret.
    Settings {
        profile: String,
        sources: Vec<String>,
    },
    /// A variable that is not a setting.
    UnknownVariable(String),
    DataFolder {
        folder: PathBuf,
        exists: bool,
    },
    Database(DatabasePlace),
    /// The file of the database is damaged.
    Damage(String),
    /// The service would start, but could not write.
    CannotWrite(CannotWrite),
    /// There is no database yet.
    NoDatabase,
    Tables {
        tables: Tables,
        version: i64,
    },
    SecretKey {
        key: Key,
        is_present: bool,
        /// Whether other nodes have it too.
        is_shared: bool,
    },
    /// The number of accounts; `None` if they could not be counted.
    Accounts(Option<i64>),
    /// The difference from the database's clock.
    Clock(Duration),
    /// Who may sign up.
    SignUp {
        signups: SignUps,
        domains: Vec<EmailDomain>,
        is_proven: bool,
    },
    MailServer(String),
    MailFolder(PathBuf),
    PublicAddress(String),
    TrustedProxies(Vec<String>),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{:16} {}", words::check::topic(finding), words::check::text(finding))?;
        }
        match &self.refusal {
            None => f.write_str(words::check::WOULD_SUCCEED),
            Some(refusal) => f.write_str(&words::check::would_fail(refusal)),
        }
    }
}

impl Report {
    /// Whether a start would succeed.
    pub fn would_succeed(&self) -> bool {
        self.refusal.is_none()
    }

    fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Keeps the first error: a start would stop there.
    fn note<T>(&mut self, looked: Result<T, impl Into<StartError>>) -> Option<T> {
        looked.map_err(|refusal| self.refusal.get_or_insert(refusal.into())).ok()
    }
}

/// Checks everything that a start would use, in the same order.
pub(crate) async fn check(figment: Figment) -> Report {
    let mut report = Report::default();
    report.add(Finding::Version(env!("CARGO_PKG_VERSION")));
    let profile = figment.profile().to_string();
    report.add(Finding::Settings { profile, sources: sources(&figment) });
    report.note(config::check_rocket(&figment));
    let Some((figment, unknown)) = report.note(config::with_environment(figment)) else {
        return report;
    };
    for name in unknown {
        report.add(Finding::UnknownVariable(name));
    }
    let Some(settings) = report.note(Settings::read(figment, true)) else { return report };
    look_at_files(&settings, &mut report).await;
    look_at_config(&settings.config, &mut report);
    report
}

/// Checks the data folder, the secret key and the database.
async fn look_at_files(settings: &Settings, report: &mut Report) {
    let folder = &settings.config.data_dir;
    report.add(Finding::DataFolder { folder: folder.clone(), exists: folder.exists() });
    report.note(private_files::check_folder(folder).map_err(|e| settings.no_data_folder(e)));

    let own_key = report.note(secret_key(settings)).flatten().map(|key| ThrottleKey::new(&key));
    let found = inspect(&settings.figment, folder, own_key.as_ref(), &Clock::default()).await;
    report.add(Finding::Database(settings.database.place()));
    let found = report.note(found);
    if let Some(None) = &found {
        report.add(Finding::NoDatabase);
    }
    let found = found.flatten();
    let key = found.as_ref().map_or(Key::First, |found| found.key);
    let (is_present, is_shared) = (own_key.is_some(), settings.database.is_postgres());
    report.add(Finding::SecretKey { key, is_present, is_shared });
    let Some(found) = found else { return };
    if let Some(damage) = &found.damage {
        report.add(Finding::Damage(damage.clone()));
    }
    let version = found.version.unwrap_or_default();
    report.add(Finding::Tables { tables: found.tables, version });
    if found.tables != Tables::Missing {
        report.add(Finding::Accounts(found.accounts));
    }
    if let Some(difference) = found.clock_difference {
        report.add(Finding::Clock(difference));
    }
    report.note(found.check());
    if let Some(reason) = found.cannot_write {
        report.add(Finding::CannotWrite(reason));
    }
}

/// The secret key, if there is one already.
fn secret_key(settings: &Settings) -> Result<Option<String>, StartError> {
    let path = match settings.secret_key()? {
        SecretKey::Set(key) => return Ok(Some(key)),
        SecretKey::File(path) => path,
    };
    let key = || {
        private_files::check_is_file(&path)?;
        if path.exists() {
            return private_files::read_secret_key(&path).map(Some);
        }
        let folder = private_files::parent(&path);
        let writable = if folder.exists() { private_files::check_writable(folder) } else { Ok(()) };
        writable.map(|()| None)
    };
    key().map_err(|e| settings.no_secret_key(e))
}

/// Checks what depends only on the settings.
fn look_at_config(config: &Config, report: &mut Report) {
    let (signups, domains) = (config.signup, config.signup_domains.clone());
    report.add(Finding::SignUp { signups, domains, is_proven: config.requires_verification() });
    if let Some(url) = &config.mail.smtp_url {
        report.note(mail::check_server(config));
        report.add(Finding::MailServer(url.described()));
    } else {
        let folder = config.mail_folder();
        let usable = private_files::check_folder(&folder).and_then(|()| {
            if folder.exists() { private_files::check_writable(&folder) } else { Ok(()) }
        });
        report.note(usable.map_err(MailError::Folder));
        report.add(Finding::MailFolder(folder));
    }
    report.note(web::Assets::read(config));
    report.note(config.sender());
    report.add(Finding::PublicAddress(config.origin()));
    let proxies = config.trusted_proxies.iter().map(ToString::to_string).collect();
    report.add(Finding::TrustedProxies(proxies));
}

/// The files and the variables that the settings come from.
fn sources(figment: &Figment) -> Vec<String> {
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
    files.chain(variables).collect()
}
