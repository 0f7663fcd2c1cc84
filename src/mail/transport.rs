//! How messages are sent: by a mail server, as files in a folder, or into memory in tests.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox as Address, MultiPart};
use rocket::tokio::task::spawn_blocking;
use uuid::Uuid;

use super::smtp::SmtpServer;
use super::{MailError, Undelivered, failed};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::{Error, private_files};

/// For tests of an app that contains Vestibule: call `rocket.manage(Mailbox::default())` before
/// `attach(vestibule::stage())`, and messages are collected here instead of being sent.
#[derive(Clone, Default)]
pub struct Mailbox(Arc<Mutex<Vec<SentMessage>>>);

/// A collected message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SentMessage {
    /// The same for every attempt to send it; later messages have larger ones (`UUIDv7`).
    pub id: Uuid,
    /// The recipient's address.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// The plain-text form.
    pub text: String,
    /// The HTML form.
    pub html: String,
}

/// Says how many there are: they contain secrets.
impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailbox").field(&self.messages().len()).finish()
    }
}

impl Mailbox {
    /// All messages so far, oldest first.
    pub fn messages(&self) -> Vec<SentMessage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, message: SentMessage) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }
}

/// The transport of messages.
pub(super) enum Transport {
    Smtp(SmtpServer),
    Folder(PathBuf),
    Memory(Mailbox),
}

impl Transport {
    /// Chooses the transport according to the settings.
    pub(super) fn new(config: &Config, mailbox: Option<&Mailbox>) -> Result<Self, MailError> {
        Ok(match (mailbox, &config.mail.smtp_url) {
            (Some(mailbox), _) => Self::Memory(mailbox.clone()),
            (None, Some(url)) => Self::Smtp(SmtpServer::new(url, config.mail.timeout)?),
            (None, None) => {
                let folder = config.mail_folder();
                private_files::make_folder(&folder)
                    .and_then(|()| private_files::check_writable(&folder))
                    .map_err(MailError::Folder)?;
                Self::Folder(folder)
            }
        })
    }

    /// The folder for messages if there is no mail server.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Smtp(_) | Self::Memory(_) => None,
        }
    }

    /// Sends a message.
    pub(super) async fn send(
        &self,
        sender: &Address,
        message: SentMessage,
    ) -> Result<(), Undelivered> {
        match self {
            Self::Smtp(server) => {
                let mime = mime(sender, &message)?;
                server.send(sender, &recipient(&message)?, &mime).await
            }
            Self::Folder(folder) => {
                let mime = mime(sender, &message)?.formatted();
                let path = folder.join(format!("{}.eml", message.id));
                spawn_blocking(move || private_files::write(&path, &mime))
                    .await
                    .map_err(failed)?
                    .map_err(failed)?;
                Ok(())
            }
            Self::Memory(mailbox) => {
                mailbox.push(message);
                Ok(())
            }
        }
    }

    /// Removes messages with expired links from the folder.
    pub(super) async fn sweep(&self, now: Timestamp) -> Result<(), Error> {
        const KEEP_FOR: Duration = Duration::from_hours(24);
        let Some(folder) = self.folder().map(Path::to_owned) else { return Ok(()) };
        let sweep = move || -> io::Result<()> {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                // A process that was killed leaves a draft behind.
                let is_message =
                    entry.path().extension().is_some_and(|end| end == "eml" || end == "draft");
                if is_message && now.since(entry.metadata()?.modified()?.into()) > KEEP_FOR {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        let failed = |e: io::Error| Error::new("the mail folder cannot be swept", e);
        spawn_blocking(sweep).await.map_err(|e| failed(e.into()))?.map_err(failed)
    }
}

fn mime(sender: &Address, message: &SentMessage) -> Result<lettre::Message, Error> {
    lettre::Message::builder()
        .from(sender.clone())
        .to(recipient(message)?)
        .subject(&message.subject)
        .message_id(Some(format!("<{}@{}>", message.id, sender.email.domain())))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(message.text.clone(), message.html.clone()))
        .map_err(failed)
}

fn recipient(message: &SentMessage) -> Result<Address, Error> {
    Ok(Address::new(None, message.to.parse().map_err(failed)?))
}

/// `Auto-Submitted: auto-generated` (RFC 3834), so that no automatic reply is sent.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}
