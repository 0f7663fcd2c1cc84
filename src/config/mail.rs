//! `mail.*`

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use serde::Deserialize;

use super::range::length;
use super::{Config, ConfigError, Hello, Problem, PublicUrl, Sender, SmtpUrl, values};

/// How messages are sent.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MailConfig {
    /// The sender of every message. Default `no-reply@` the host of `public_url`.
    pub from: Option<Sender>,
    /// The mail server: `smtps://user:password@host`, or `smtp://…?tls=required` for STARTTLS. If not set, messages
    /// are written to `folder`.
    pub smtp_url: Option<SmtpUrl>,
    /// The name by which the service greets the mail server (`EHLO`). Default: the host of `public_url`, or the name
    /// of this machine.
    pub hello: Option<Hello>,
    /// A file with the certificates (PEM) of the only authorities that are trusted for the mail server. Default: those
    /// of the system.
    #[serde(deserialize_with = "values::optional_text")]
    pub ca_file: Option<PathBuf>,
    /// How long the mail server may take for each step before the message is retried later. Default `30s`, at most
    /// a minute. Ten minutes after it has received a message.
    #[serde(deserialize_with = "values::duration")]
    pub timeout: Duration,
    /// Whether owners get an email when a browser signs in that the account has not used before. Default `true`.
    pub new_device: bool,
    /// The folder for `.eml` files if there is no mail server. Default `mail` in the data folder.
    #[serde(deserialize_with = "values::optional_text")]
    pub folder: Option<PathBuf>,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            from: None,
            smtp_url: None,
            hello: None,
            ca_file: None,
            timeout: Duration::from_secs(30),
            new_device: true,
            folder: None,
        }
    }
}

impl MailConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.smtp_url.is_some() && !cfg!(feature = "smtp") {
            return Err(ConfigError::new("vestibule.mail.smtp_url", Problem::NotBuiltIn("smtp")));
        }
        if self.ca_file.is_some() && !self.smtp_url.as_ref().is_some_and(SmtpUrl::uses_tls) {
            return Err(ConfigError::new("vestibule.mail.ca_file", Problem::UnusedAuthority));
        }
        length("mail.timeout", self.timeout, Duration::from_secs(1)..=Duration::from_secs(60))
    }
}

impl fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailConfig")
            .field("from", &self.from)
            .field("hello", &self.hello)
            .field("ca_file", &self.ca_file)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// The folder for emails if there is no mail server.
    pub(crate) fn mail_folder(&self) -> PathBuf {
        self.mail.folder.clone().unwrap_or_else(|| self.data_dir.join("mail"))
    }

    /// The sender of every email, with the name of the site.
    pub(crate) fn sender(&self) -> Result<Mailbox, ConfigError> {
        if let Some(Sender(mailbox)) = &self.mail.from {
            let name = mailbox.name.clone().unwrap_or_else(|| self.site_name.clone());
            return Ok(Mailbox::new(Some(name), mailbox.email.clone()));
        }
        let no_sender = || ConfigError::new("vestibule.mail.from", Problem::NoSender);
        let host = match self.mail_host() {
            // Mail servers take no sender at an address in place of a name.
            Some(host) if host.starts_with('[') && self.mail.smtp_url.is_some() => {
                return Err(no_sender());
            }
            Some(host) if !host.starts_with('[') => host,
            _ => "localhost".into(),
        };
        let address = Address::new("no-reply", host).map_err(|_| no_sender())?;
        Ok(Mailbox::new(Some(self.site_name.clone()), address))
    }

    /// The name by which the service greets the mail server; `None` for the name of this machine.
    #[cfg_attr(not(feature = "smtp"), expect(dead_code, reason = "only a mail server needs it"))]
    pub(crate) fn hello(&self) -> Option<String> {
        let set = self.mail.hello.as_ref().map(|Hello(name)| name.clone());
        set.or_else(|| self.mail_host())
    }

    fn mail_host(&self) -> Option<String> {
        self.public_url.as_ref().and_then(PublicUrl::mail_host)
    }
}
