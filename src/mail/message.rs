//! Which messages there are, and their content.

use askama::Template;
use uuid::Uuid;

use super::{SentMessage, failed};
use crate::auth::Device;
use crate::clock::Timestamp;
use crate::colours;
use crate::config::{Accent, Zone};
use crate::named::named_enum;
use crate::words;
use crate::{Email, Error};

named_enum! {
    /// The messages, by their names in the database and in the log. Each has a template for text and one for HTML.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Message {
        VerifyEmail = "verify-email",
        PasswordReset = "password-reset",
        PasswordChanged = "password-changed",
        /// Confirms the address of a sign-up, before there is an account.
        SignUp = "sign-up",
        /// Invites somebody to sign up.
        Invitation = "invitation",
        /// Somebody else has created the account.
        AccountCreated = "account-created",
        /// Confirms the address that the user wants to change to.
        EmailChange = "email-change",
        /// The address that somebody wants to change to, or to sign up with, has an account.
        EmailInUse = "email-in-use",
        /// The address was changed: to the new one.
        EmailChanged = "email-changed",
        /// The address was changed: to one that the account no longer has, and that may be a stranger's or a thief's.
        EmailReplaced = "email-replaced",
        /// The address was changed: to the old one, with a link that puts it back.
        EmailUndo = "email-undo",
        /// A browser signed in that the account has not used before.
        NewDevice = "new-device",
        /// The owner has deleted the account, and can restore it.
        AccountDeletion = "account-deletion",
        /// The account is erased.
        AccountErased = "account-erased",
    }
}

/// The content of a message.
pub(crate) struct Content {
    pub(crate) message: Message,
    /// The path of its link, without the origin.
    pub(crate) path: String,
    /// Whether the link contains a secret.
    pub(crate) is_secret: bool,
    /// When it was caused, and from where.
    pub(crate) at: Timestamp,
    /// A [`Device`], as stored in the outbox.
    pub(crate) device: String,
    pub(crate) ip: String,
    /// What it is about: another address, or a time.
    pub(crate) detail: String,
}

/// The text and the HTML form of a message, from `templates/mail`.
macro_rules! templates {
    ($text:ident $text_path:literal, $html:ident $html_path:literal) => {
        #[derive(Template)]
        #[template(path = $text_path)]
        struct $text<'a> {
            mail: &'a Values<'a>,
        }
        #[derive(Template)]
        #[template(path = $html_path)]
        struct $html<'a> {
            mail: &'a Values<'a>,
        }
    };
}

templates!(VerifyText "mail/verify_email.txt", VerifyHtml "mail/verify_email.html");
templates!(ResetText "mail/password_reset.txt", ResetHtml "mail/password_reset.html");
templates!(ChangedText "mail/password_changed.txt", ChangedHtml "mail/password_changed.html");
templates!(SignUpText "mail/sign_up.txt", SignUpHtml "mail/sign_up.html");
templates!(InvitationText "mail/invitation.txt", InvitationHtml "mail/invitation.html");
templates!(CreatedText "mail/account_created.txt", CreatedHtml "mail/account_created.html");
templates!(ChangeText "mail/email_change.txt", ChangeHtml "mail/email_change.html");
templates!(InUseText "mail/email_in_use.txt", InUseHtml "mail/email_in_use.html");
templates!(EmailChangedText "mail/email_changed.txt", EmailChangedHtml "mail/email_changed.html");
templates!(ReplacedText "mail/email_replaced.txt", ReplacedHtml "mail/email_replaced.html");
templates!(UndoText "mail/email_undo.txt", UndoHtml "mail/email_undo.html");
templates!(NewDeviceText "mail/new_device.txt", NewDeviceHtml "mail/new_device.html");
templates!(DeletionText "mail/account_deletion.txt", DeletionHtml "mail/account_deletion.html");
templates!(ErasedText "mail/account_erased.txt", ErasedHtml "mail/account_erased.html");

/// The values of a template. The display name is not among them: somebody who signs up with a stranger's address
/// chooses it, and could write into the stranger's message.
struct Values<'a> {
    site_name: &'a str,
    origin: &'a str,
    subject: &'a str,
    address: &'a str,
    link: &'a str,
    /// Whether the link is for this account alone; otherwise it is that of the sign-in page.
    has_own_link: bool,
    fill: &'a str,
    on_fill: &'a str,
    at: &'a str,
    device: &'a str,
    ip: &'a str,
    detail: &'a str,
}

/// What the messages of this site have in common.
pub(super) struct Letterhead {
    pub(super) site_name: String,
    pub(super) origin: String,
    pub(super) accent: Accent,
    pub(super) time_zone: Zone,
}

/// Renders both forms of a message.
pub(super) fn write(
    id: Uuid,
    to: &Email,
    content: &Content,
    head: &Letterhead,
) -> Result<SentMessage, Error> {
    let Letterhead { site_name, origin, accent, time_zone } = head;
    let (fill, on_fill) = colours::button(*accent);
    let subject = match content.message {
        Message::VerifyEmail | Message::SignUp => words::mail::verify_email_subject(site_name),
        Message::Invitation => words::mail::invitation_subject(site_name),
        Message::PasswordReset => words::mail::password_reset_subject(site_name),
        Message::PasswordChanged => words::mail::password_changed_subject(site_name),
        Message::AccountCreated => words::mail::account_created_subject(site_name),
        Message::EmailChange => words::mail::email_change_subject(site_name),
        Message::EmailInUse => words::mail::email_in_use_subject(site_name),
        Message::EmailChanged | Message::EmailReplaced | Message::EmailUndo => {
            words::mail::email_changed_subject(site_name)
        }
        Message::NewDevice => words::mail::new_device_subject(site_name),
        Message::AccountDeletion => words::mail::account_deletion_subject(site_name),
        Message::AccountErased => words::mail::account_erased_subject(site_name),
    };
    let mail = &Values {
        site_name,
        origin,
        subject: &subject,
        address: to.as_str(),
        link: &format!("{origin}{}", content.path),
        has_own_link: content.is_secret,
        fill: &fill,
        on_fill: &on_fill,
        at: &words::dates::weekday(content.at, time_zone),
        device: &device(&content.device),
        ip: &content.ip,
        detail: &content.detail,
    };
    let (text, html) = match content.message {
        Message::VerifyEmail => (VerifyText { mail }.render(), VerifyHtml { mail }.render()),
        Message::PasswordReset => (ResetText { mail }.render(), ResetHtml { mail }.render()),
        Message::PasswordChanged => (ChangedText { mail }.render(), ChangedHtml { mail }.render()),
        Message::SignUp => (SignUpText { mail }.render(), SignUpHtml { mail }.render()),
        Message::Invitation => (InvitationText { mail }.render(), InvitationHtml { mail }.render()),
        Message::AccountCreated => (CreatedText { mail }.render(), CreatedHtml { mail }.render()),
        Message::EmailChange => (ChangeText { mail }.render(), ChangeHtml { mail }.render()),
        Message::EmailInUse => (InUseText { mail }.render(), InUseHtml { mail }.render()),
        Message::EmailChanged => {
            (EmailChangedText { mail }.render(), EmailChangedHtml { mail }.render())
        }
        Message::EmailReplaced => (ReplacedText { mail }.render(), ReplacedHtml { mail }.render()),
        Message::EmailUndo => (UndoText { mail }.render(), UndoHtml { mail }.render()),
        Message::NewDevice => (NewDeviceText { mail }.render(), NewDeviceHtml { mail }.render()),
        Message::AccountDeletion => {
            (DeletionText { mail }.render(), DeletionHtml { mail }.render())
        }
        Message::AccountErased => (ErasedText { mail }.render(), ErasedHtml { mail }.render()),
    };
    let (text, html) = (text.map_err(failed)?, html.map_err(failed)?);
    Ok(SentMessage { id, to: to.deliverable(), subject, text, html })
}

/// The device in words. Version 0.1 stored words in the outbox, which are shown unchanged.
fn device(stored: &str) -> String {
    Device::parse(stored).map_or_else(|| stored.to_owned(), words::mail::device)
}

/// Wraps a sentence into lines of plain text.
fn wrap(text: &str) -> String {
    const WIDTH: usize = 76;
    let mut wrapped = String::with_capacity(text.len());
    let mut width = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            wrapped.push('\n');
            width = 0;
        } else if width > 0 {
            wrapped.push(' ');
            width += 1;
        }
        wrapped.push_str(word);
        width += length;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_version_0_1_put_into_words_is_shown_as_it_is() {
        assert_eq!(device("firefox/linux"), "Firefox on Linux");
        assert_eq!(device("Firefox on Linux"), "Firefox on Linux");
        assert_eq!(device("unknown/unknown"), "Unknown device");
    }

    #[test]
    fn long_sentences_become_short_lines() {
        let word = "a".repeat(38);
        assert_eq!(wrap(&format!("{word} {word} b")), format!("{word}\n{word} b"));
        assert_eq!(wrap(&"a".repeat(100)), "a".repeat(100));
    }
}
