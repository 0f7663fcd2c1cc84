//! Letters, as text and HTML, and how they leave: by a mail server, or as files in a folder.

mod smtp;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use log::info;
use rocket::tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::config::{Config, ConfigError};
use crate::{Email, Error, private_files};
use smtp::SmtpServer;

/// Writes letters and hands them over.
pub(crate) struct Mail {
    transport: Transport,
    sender: Mailbox,
    site_name: String,
    origin: String,
    /// Whether links are shown in the log, so that a newcomer at their own machine finds them.
    log_links: bool,
}

enum Transport {
    Smtp(SmtpServer),
    Folder(PathBuf),
    Memory(Letters),
}

/// A letter that nobody has said to have taken.
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

/// Which messages there are. Each has a template for text and one for HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    VerifyEmail,
    PasswordReset,
    PasswordChanged,
}

impl Message {
    const ALL: [Self; 3] = [Self::VerifyEmail, Self::PasswordReset, Self::PasswordChanged];

    /// Its name in the database and in the log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::PasswordReset => "password-reset",
            Self::PasswordChanged => "password-changed",
        }
    }

    /// `None`: a message of a later version.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|message| message.as_str() == text)
    }
}

/// What a message says.
pub(crate) struct Content {
    pub(crate) message: Message,
    /// Where its link leads, without the origin.
    pub(crate) path: String,
    /// Whether the link holds a secret.
    pub(crate) is_secret: bool,
    /// When it was caused, and from where.
    pub(crate) at: String,
    pub(crate) device: String,
    pub(crate) ip: String,
}

/// For tests of an app that has Vestibule in it: `rocket.manage(Letters::default())` before
/// `attach(vestibule::stage())`, and letters come here instead of leaving.
#[derive(Clone, Default)]
pub struct Letters(Arc<Mutex<Vec<SentLetter>>>);

/// A letter that would have left.
#[derive(Clone, Debug)]
pub struct SentLetter {
    /// The same for every try to send it; later letters have larger ones (`UUIDv7`).
    pub id: Uuid,
    /// The address it would have gone to.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its plain-text form.
    pub text: String,
    /// Its HTML form.
    pub html: String,
}

impl Letters {
    /// All letters so far, oldest first.
    pub fn all(&self) -> Vec<SentLetter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Both forms of a message, from `templates/mail`.
macro_rules! templates {
    ($text:ident $text_path:literal, $html:ident $html_path:literal) => {
        #[derive(Template)]
        #[template(path = $text_path)]
        struct $text<'a>(&'a Lines<'a>);
        #[derive(Template)]
        #[template(path = $html_path)]
        struct $html<'a>(&'a Lines<'a>);
    };
}

templates!(VerifyText "mail/verify_email.txt", VerifyHtml "mail/verify_email.html");
templates!(ResetText "mail/password_reset.txt", ResetHtml "mail/password_reset.html");
templates!(ChangedText "mail/password_changed.txt", ChangedHtml "mail/password_changed.html");

/// What messages are made of. Never the person's name: whoever signs up with a stranger's address
/// chooses it, and would write into the stranger's mail.
struct Lines<'a> {
    site_name: &'a str,
    origin: &'a str,
    subject: &'a str,
    address: &'a str,
    link: &'a str,
    content: &'a Content,
}

impl Mail {
    /// Chooses the way letters leave by what is set.
    pub(crate) fn new(
        config: &Config,
        letters: Option<&Letters>,
        log_links: bool,
    ) -> Result<Self, MailError> {
        let transport = match (letters, &config.mail.smtp_url) {
            (Some(letters), _) => Transport::Memory(letters.clone()),
            (None, Some(url)) => Transport::Smtp(SmtpServer::new(url, config.mail.timeout)?),
            (None, None) => {
                let folder = config.mail_folder();
                private_files::make_folder(&folder).map_err(MailError::Folder)?;
                Transport::Folder(folder)
            }
        };
        let log_links = log_links && matches!(transport, Transport::Folder(_));
        Ok(Self {
            transport,
            sender: config.sender().map_err(MailError::Sender)?,
            site_name: config.site_name.clone(),
            origin: config.origin(),
            log_links,
        })
    }

    /// Where letters are put when no mail server is set.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match &self.transport {
            Transport::Folder(folder) => Some(folder),
            Transport::Smtp(_) | Transport::Memory(_) => None,
        }
    }

    /// Writes the message and hands it over. `id` is the same for every attempt, so that mail programs show a message
    /// once that was delivered twice.
    pub(crate) async fn send(
        &self,
        id: Uuid,
        to: &Email,
        content: Content,
    ) -> Result<(), Undelivered> {
        let link = format!("{}{}", self.origin, content.path);
        let letter = self.write(id, to, &content, &link)?;
        match &self.transport {
            Transport::Smtp(server) => {
                let (to, message) = (mailbox(&letter)?, self.mime(&letter)?);
                server.send(&self.sender, &to, &message).await?;
            }
            Transport::Folder(folder) => {
                let message = self.mime(&letter)?.formatted();
                let path = folder.join(format!("{id}.eml"));
                spawn_blocking(move || private_files::write(&path, &message))
                    .await
                    .map_err(failed)?
                    .map_err(failed)?;
            }
            Transport::Memory(letters) => {
                letters.0.lock().unwrap_or_else(PoisonError::into_inner).push(letter.clone());
            }
        }
        if self.log_links && content.is_secret {
            info!("{}: {link}", letter.subject);
        }
        Ok(())
    }

    fn write(
        &self,
        id: Uuid,
        to: &Email,
        content: &Content,
        link: &str,
    ) -> Result<SentLetter, Error> {
        let site = &self.site_name;
        let subject = match content.message {
            Message::VerifyEmail => format!("Confirm your e-mail address for {site}"),
            Message::PasswordReset => format!("Reset your {site} password"),
            Message::PasswordChanged => format!("Your {site} password was changed"),
        };
        let lines = Lines {
            site_name: site,
            origin: &self.origin,
            subject: &subject,
            address: to.as_str(),
            link,
            content,
        };
        let (text, html) = match content.message {
            Message::VerifyEmail => (VerifyText(&lines).render(), VerifyHtml(&lines).render()),
            Message::PasswordReset => (ResetText(&lines).render(), ResetHtml(&lines).render()),
            Message::PasswordChanged => {
                (ChangedText(&lines).render(), ChangedHtml(&lines).render())
            }
        };
        let (text, html) = (text.map_err(failed)?, html.map_err(failed)?);
        Ok(SentLetter { id, to: to.deliverable(), subject, text, html })
    }

    fn mime(&self, letter: &SentLetter) -> Result<lettre::Message, Error> {
        lettre::Message::builder()
            .from(self.sender.clone())
            .to(mailbox(letter)?)
            .subject(&letter.subject)
            .message_id(Some(format!("<{}@{}>", letter.id, self.sender.email.domain())))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
            .map_err(failed)
    }

    /// Removes letters from the folder whose links are dead.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<(), Error> {
        const KEEP_FOR: Duration = Duration::from_hours(24);
        let Some(folder) = self.folder().map(Path::to_owned) else { return Ok(()) };
        let sweep = move || -> io::Result<()> {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                // A process that was killed leaves a draft behind.
                let is_letter =
                    entry.path().extension().is_some_and(|end| end == "eml" || end == "draft");
                if is_letter && now.since(entry.metadata()?.modified()?.into()) > KEEP_FOR {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        let failed = |e: io::Error| Error::new("the mail folder cannot be swept", e);
        spawn_blocking(sweep).await.map_err(|e| failed(e.into()))?.map_err(failed)
    }
}

fn mailbox(letter: &SentLetter) -> Result<Mailbox, Error> {
    Ok(Mailbox::new(None, letter.to.parse().map_err(failed)?))
}

fn failed(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new("a letter did not leave", cause)
}

/// `Auto-Submitted: auto-generated` (RFC 3834): nobody's holiday notice should answer.
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

/// Why letters could not leave at all.
#[derive(Debug)]
pub(crate) enum MailError {
    SmtpUrl,
    Folder(io::Error),
    Sender(ConfigError),
}

impl std::fmt::Display for MailError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SmtpUrl => f.write_str("the setting vestibule.mail.smtp_url is not usable"),
            Self::Folder(error) => write!(f, "the folder for letters cannot be made: {error}"),
            Self::Sender(error) => error.fmt(f),
        }
    }
}
