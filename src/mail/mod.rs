//! The mails that the service sends: which there are, and how they leave.

mod message;
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

pub(crate) use message::{Content, Message};
use transport::Transport;
pub use transport::{Mailbox, SentMessage};

/// Writes messages and hands them over.
pub(crate) struct Mail {
    transport: Transport,
    sender: Address,
    site_name: String,
    origin: String,
    /// Whether links are shown in the log, so that a newcomer at their own machine finds them.
    log_links: bool,
}

/// A message that no server has accepted for certain.
pub(crate) struct Undelivered {
    pub(crate) fate: Fate,
    pub(crate) error: Error,
}

/// What is known of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No server has it.
    NotTaken,
    /// The server says that it will never take it.
    Refused,
    /// The server got all of it, and did not say what became of it: it may arrive.
    Unknown,
}

impl From<Error> for Undelivered {
    fn from(error: Error) -> Self {
        Self { fate: Fate::NotTaken, error }
    }
}

impl Mail {
    /// Chooses how messages leave by what is set.
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
            site_name: config.site_name.clone(),
            origin: config.origin(),
            log_links,
        })
    }

    /// Where messages are put when no mail server is set.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.transport.folder()
    }

    /// Writes the message and hands it over. `id` is the same for every attempt, so that mail programs show a message
    /// once that was delivered twice.
    pub(crate) async fn send(
        &self,
        id: Uuid,
        to: &Email,
        content: Content,
    ) -> Result<(), Undelivered> {
        let message = message::write(id, to, &content, &self.origin, &self.site_name)?;
        let subject = message.subject.clone();
        self.transport.send(&self.sender, message).await?;
        if self.log_links && content.is_secret {
            info!("{subject}: {}{}", self.origin, content.path);
        }
        Ok(())
    }

    /// Removes messages from the folder whose links are dead.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<(), Error> {
        self.transport.sweep(now).await
    }
}

fn failed(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new("a message did not leave", cause)
}

/// Why messages could not leave at all.
pub(crate) enum MailError {
    SmtpUrl,
    Folder(io::Error),
    Sender(ConfigError),
}
