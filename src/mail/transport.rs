//! How messages are sent: by a mail server, as files in a folder, or into memory in tests.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::message::header::{ContentTransferEncoding, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox as Address, MultiPart, SinglePart};
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
    /// The same for every attempt to send it; of two messages, the one that was caused later has the larger one
    /// (`UUIDv7`).
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

impl SentMessage {
    /// The path of the link in this message, for a request of a local client.
    pub fn link(&self) -> Option<String> {
        let is_link = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
        let words = self.text.split_whitespace().filter(is_link);
        let url =
            words.filter_map(|word| url::Url::parse(word).ok()).find(|url| url.path() != "/")?;
        Some(url.path().to_owned())
    }
}

/// Says how many there are: they contain secrets.
impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailbox").field(&self.messages().len()).finish()
    }
}

impl Mailbox {
    /// All messages so far, in the order in which they left: those that somebody waits for leave before those to new
    /// accounts.
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
            (None, Some(url)) => Self::Smtp(SmtpServer::new(url, config)?),
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
        now: Timestamp,
    ) -> Result<(), Undelivered> {
        match self {
            Self::Smtp(server) => {
                let mime = mime(sender, &message, EightBit::Encoded, now)?;
                server.send(sender, &recipient(&message)?, &mime).await
            }
            Self::Folder(folder) => {
                let mime = mime(sender, &message, EightBit::AsItIs, now)?.formatted();
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

/// How text beyond ASCII is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EightBit {
    /// In ASCII, which every mail server takes.
    Encoded,
    AsItIs,
}

/// `now` is the time of the service, which may follow another clock than this machine's.
fn mime(
    sender: &Address,
    message: &SentMessage,
    eight_bit: EightBit,
    now: Timestamp,
) -> Result<lettre::Message, Error> {
    let plain = SinglePart::plain(body(&message.text, eight_bit));
    let html = SinglePart::html(body(&message.html, eight_bit));
    lettre::Message::builder()
        .date(now.into())
        .from(sender.clone())
        .to(recipient(message)?)
        .subject(&message.subject)
        .message_id(Some(format!("<{}@{}>", message.id, sender.email.domain())))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative().singlepart(plain).singlepart(html))
        .map_err(failed)
}

/// The text as it is if it may be sent so: in quoted-printable, which lettre chooses for lines of 76 characters and more,
/// a link is cut in two for whoever copies it from the file or the source of the message.
fn body(text: &str, eight_bit: EightBit) -> Body {
    // RFC 5322, 2.1.1.
    const LONGEST_LINE: usize = 998;
    let may_be_sent = text.lines().all(|line| line.len() <= LONGEST_LINE);
    let encoding = match (text.is_ascii(), eight_bit) {
        (true, _) => ContentTransferEncoding::SevenBit,
        (false, EightBit::AsItIs) => ContentTransferEncoding::EightBit,
        (false, EightBit::Encoded) => return Body::new(text.to_owned()),
    };
    if !may_be_sent {
        return Body::new(text.to_owned());
    }
    let lines: Vec<&str> = text.lines().collect();
    Body::dangerous_pre_encoded(lines.join("\r\n").into_bytes(), encoding)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A link is in one piece in every file, and in every message of ASCII.
    #[test]
    fn a_long_line_is_not_cut() {
        let link = format!("http://localhost:8000/password-reset/{}", "A".repeat(43));
        let sent = |site: &str, eight_bit| {
            let text = format!("Your link at {site}:\n{link}\n");
            let html =
                format!("<p>{site}</p><p>{}<a href=\"{link}\">{link}</a></p>", " ".repeat(80));
            let (id, to) = (Uuid::nil(), "ada@example.com".to_owned());
            let message = SentMessage { id, to, subject: site.to_owned(), text, html };
            let sender = Address::new(None, "a@example.com".parse().unwrap());
            let Ok(mime) = mime(&sender, &message, eight_bit, Timestamp::from_millis(0)) else {
                panic!("no message")
            };
            String::from_utf8(mime.formatted()).unwrap()
        };
        for (site, eight_bit, encoding, links) in [
            ("Hall", EightBit::Encoded, "7bit", 3),
            ("Hall", EightBit::AsItIs, "7bit", 3),
            ("H\u{e4}ll", EightBit::AsItIs, "8bit", 3),
            ("H\u{e4}ll", EightBit::Encoded, "quoted-printable", 0),
        ] {
            let mail = sent(site, eight_bit);
            let header = format!("Content-Transfer-Encoding: {encoding}\r\n");
            assert_eq!(mail.matches(&header).count(), 2, "{mail}");
            assert_eq!(mail.matches(&link).count(), links, "{mail}");
            assert!(eight_bit == EightBit::AsItIs || mail.is_ascii(), "{mail}");
            assert!(!mail.replace("\r\n", "").contains(['\r', '\n']), "{mail}");
        }
    }
}
