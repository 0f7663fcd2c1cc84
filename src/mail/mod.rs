//! The messages that the service sends, and their transport.

mod message;
#[cfg_attr(not(feature = "smtp"), path = "no_smtp.rs")]
mod smtp;
mod transport;

use std::io;
use std::path::Path;

use lettre::message::Mailbox as Address;
use log::info;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::config::{Config, ConfigError};
use crate::{Email, Error};

use message::Letterhead;
pub(crate) use message::{Content, Message};
use transport::Transport;
pub use transport::{Mailbox, SentMessage};

/// Renders messages and sends them.
pub(crate) struct Mail {
    transport: Transport,
    sender: Address,
    head: Letterhead,
    /// Whether to log links, so that they can be followed during development.
    log_links: bool,
}

/// The error for a message that was not certainly accepted by a server.
pub(crate) struct Undelivered {
    pub(crate) fate: Fate,
    pub(crate) error: Error,
}

/// What is known about an undelivered message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No server has accepted it.
    NotTaken,
    /// The server permanently refuses it.
    Refused,
    /// The server received all of it without answering: it may arrive.
    Unknown,
}

impl From<Error> for Undelivered {
    fn from(error: Error) -> Self {
        Self { fate: Fate::NotTaken, error }
    }
}

impl Mail {
    /// Chooses the transport according to the settings.
    pub(crate) fn new(
        config: &Config,
        mailbox: Option<&Mailbox>,
        log_links: bool,
    ) -> Result<Self, MailError> {
        let transport = Transport::new(config, mailbox)?;
        let log_links = log_links && transport.folder().is_some();
        Ok(Self {
            transport,
            sender: config.sender().map_err(MailError::Sender)?,
            head: Letterhead {
                site_name: config.site_name.clone(),
                origin: config.origin(),
                accent: config.accent,
                time_zone: config.time_zone.clone(),
            },
            log_links,
        })
    }

    /// The folder for messages if there is no mail server.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.transport.folder()
    }

    /// Renders and sends the message. `id` is the same for every attempt, so that mail programs show a message that
    /// arrives twice only once.
    pub(crate) async fn send(
        &self,
        id: Uuid,
        to: &Email,
        content: Content,
        now: Timestamp,
    ) -> Result<(), Undelivered> {
        let message = message::write(id, to, &content, &self.head)?;
        let subject = message.subject.clone();
        self.transport.send(&self.sender, message, now).await?;
        if self.log_links && content.is_secret {
            info!("{subject}: {}{}", self.head.origin, content.path);
        }
        Ok(())
    }

    /// Removes messages with expired links from the folder.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<(), Error> {
        self.transport.sweep(now).await
    }
}

/// Whether the mail server of the settings can be used, as far as that is known without asking it.
pub(crate) fn check_server(config: &Config) -> Result<(), MailError> {
    let server = config.mail.smtp_url.as_ref().map(|url| smtp::SmtpServer::new(url, config));
    server.transpose().map(drop)
}

fn failed(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new("a message did not leave", cause)
}

/// Why messages cannot be sent at all.
pub(crate) enum MailError {
    SmtpUrl,
    /// TLS cannot be spoken, such as on a system without certificates of authorities.
    #[cfg_attr(not(feature = "smtp"), expect(dead_code, reason = "only a mail server needs it"))]
    Tls(String),
    /// The file with certificates cannot be used.
    #[cfg_attr(not(feature = "smtp"), expect(dead_code, reason = "only a mail server needs it"))]
    CaFile(io::Error),
    Folder(io::Error),
    Sender(ConfigError),
}
