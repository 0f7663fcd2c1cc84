//! Takes the place of `smtp` if the feature of that name is not built in. The settings refuse a mail server then.

use std::future::Ready;

use lettre::Message;
use lettre::message::Mailbox;

use super::{MailError, Undelivered};
use crate::config::{Config, SmtpUrl};

/// A mail server: there is none.
pub(super) enum SmtpServer {}

impl SmtpServer {
    pub(super) fn new(_: &SmtpUrl, _: &Config) -> Result<Self, MailError> {
        Err(MailError::SmtpUrl)
    }

    pub(super) fn send(
        &self,
        _: &Mailbox,
        _: &Mailbox,
        _: &Message,
    ) -> Ready<Result<(), Undelivered>> {
        match *self {}
    }
}
