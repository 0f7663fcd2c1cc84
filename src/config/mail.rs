//! `mail.*`

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::range::length;
use super::{ConfigError, Problem, Sender, SmtpUrl, values};

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
    /// How long the mail server may take for each step before the message is retried later. Default `30s`, at most
    /// a minute. Ten minutes after it has received a message.
    #[serde(deserialize_with = "values::duration")]
    pub timeout: Duration,
    /// The folder for `.eml` files if there is no mail server. Default `mail` in the data folder.
    pub folder: Option<PathBuf>,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self { from: None, smtp_url: None, timeout: Duration::from_secs(30), folder: None }
    }
}

impl MailConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.smtp_url.is_some() && !cfg!(feature = "smtp") {
            return Err(ConfigError::new("vestibule.mail.smtp_url", Problem::NotBuiltIn("smtp")));
        }
        length("mail.timeout", self.timeout, Duration::from_secs(1)..=Duration::from_secs(60))
    }
}

impl fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailConfig")
            .field("from", &self.from)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
