//! Mailed links: their purposes, how long each is valid, and how one is opened. To add one: a line in the table
//! below, a message with its templates, and a page at `/<page>/<token>`.

use std::time::Duration;

use uuid::Uuid;

use super::account::PendingSignUp;
use super::change::REPEATED_WITHIN;
use super::store::{FoundLink, NewLink, Sent};
use super::{Auth, Email, LinkToken, User, UserId};
use crate::config::SignUps;
use crate::mail::Message;
use crate::{Error, urls};

const HOUR: Duration = Duration::from_hours(1);

/// The number of links of one purpose that a user may have open. Asking for more does not void the older ones: a
/// stranger must not void the link that the owner is about to open. The links in notices have no limit: a notice is never
/// sent without one.
pub(in crate::auth) const MOST_OPEN: i64 = 3;

/// How long the owner can take back what somebody else did to the account.
pub(in crate::auth) const UNDO_FOR: Duration = Duration::from_hours(72);

macro_rules! purposes {
    ($($(#[$doc:meta])* $purpose:ident: $name:literal, at $page:ident, for $ttl:expr;)*) => {
        /// The purpose of a mailed link. A link is not valid for any other purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Purpose {
            $($(#[$doc])* $purpose,)*
        }

        impl Purpose {
            pub(crate) const ALL: &[Self] = &[$(Self::$purpose,)*];

            /// Its name in the database.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$purpose => $name,)*
                }
            }

            /// The page that it opens.
            pub(crate) const fn page(self) -> urls::Path {
                match self {
                    $(Self::$purpose => urls::$page,)*
                }
            }

            /// How long the link is valid (ASVS 6.5.5).
            pub(in crate::auth) const fn ttl(self) -> Duration {
                match self {
                    $(Self::$purpose => $ttl,)*
                }
            }
        }
    };
}

purposes! {
    /// Sets a new password.
    PasswordReset: "password-reset", at PASSWORD_RESET, for HOUR;
    /// Sets the first password of an account that somebody else has created.
    SetPassword: "set-password", at SET_PASSWORD, for Duration::from_hours(7 * 24);
    /// Creates the account of somebody who has signed up, once their address is confirmed.
    SignUp: "sign-up", at SIGN_UP, for Duration::from_hours(24);
    /// Signs up somebody who was invited.
    Invitation: "invitation", at INVITATION, for Duration::from_hours(7 * 24);
    /// Shows that the email address belongs to the user.
    VerifyEmail: "verify-email", at VERIFY_EMAIL, for Duration::from_hours(24);
    /// Changes the address of an account to the one that the link was sent to.
    EmailChange: "email-change", at EMAIL_CHANGE, for HOUR;
    /// Puts the address back that it was sent to.
    EmailUndo: "email-undo", at EMAIL_UNDO, for UNDO_FOR;
    /// "This wasn't me": ends all sessions and sends a link to reset the password.
    NotMe: "not-me", at NOT_ME, for UNDO_FOR;
    /// Restores an account that its owner has deleted, until it is erased.
    AccountRestore: "account-restore", at ACCOUNT_RESTORE, for Duration::from_hours(366 * 24);
}

impl Purpose {
    /// The number of links that a user may have open.
    pub(in crate::auth) const fn most_open(self) -> i64 {
        match self {
            Self::PasswordReset
            | Self::SetPassword
            | Self::SignUp
            | Self::VerifyEmail
            | Self::EmailChange => MOST_OPEN,
            Self::Invitation | Self::EmailUndo | Self::NotMe | Self::AccountRestore => i64::MAX,
        }
    }

    /// Whether it belongs to an address without an account.
    const fn is_for_newcomers(self) -> bool {
        matches!(self, Self::SignUp | Self::Invitation)
    }
}

impl Message {
    /// The purpose of the link in this message, if it contains one.
    pub(in crate::auth) const fn link(self) -> Option<Purpose> {
        match self {
            Self::VerifyEmail => Some(Purpose::VerifyEmail),
            Self::PasswordReset => Some(Purpose::PasswordReset),
            Self::AccountCreated => Some(Purpose::SetPassword),
            Self::SignUp => Some(Purpose::SignUp),
            Self::Invitation => Some(Purpose::Invitation),
            Self::EmailChange => Some(Purpose::EmailChange),
            Self::EmailUndo => Some(Purpose::EmailUndo),
            Self::AccountDeletion => Some(Purpose::AccountRestore),
            Self::PasswordChanged | Self::EmailChanged | Self::NewDevice => Some(Purpose::NotMe),
            Self::EmailReplaced | Self::EmailInUse | Self::AccountErased => None,
        }
    }
}

/// A followed link, looked up once per request.
pub(crate) struct OpenedLink {
    pub(crate) purpose: Purpose,
    /// The token in the link.
    pub(crate) token: LinkToken,
    /// The user it belongs to; `None` if the link was used, has expired, or never existed, and for those to somebody
    /// who has no account yet.
    pub(crate) user: Option<User>,
    /// The address that the account gets by it.
    pub(crate) email: Option<Email>,
    /// What it holds for somebody who has no account yet.
    pub(in crate::auth) payload: Option<String>,
    /// Who used it in the last minutes.
    pub(crate) used_by: Option<UserId>,
}

impl Auth {
    /// Looks up the user of a link without using the link up.
    pub(crate) async fn open_link(
        &self,
        purpose: Purpose,
        token: LinkToken,
    ) -> Result<OpenedLink, Error> {
        let (digest, now) = (token.digest(), self.clock.now());
        let (user, email, payload) = if purpose.is_for_newcomers() {
            let sent = self.store.find_newcomer_link(digest, purpose, now).await?;
            let email = sent.as_ref().and_then(|sent| newcomer(purpose, sent));
            let email = email.filter(|email| self.is_open_to(purpose, email));
            (None, email, sent.and_then(|sent| sent.payload))
        } else {
            match self.store.find_link(digest, purpose, now).await? {
                Some(found) => {
                    let (user, email) = self.valid_link(purpose, found).await?;
                    (user, email, None)
                }
                None => (None, None, None),
            }
        };
        let used_by = match (&user, &email) {
            (None, None) => {
                self.store.find_used_link(digest, purpose, now - REPEATED_WITHIN, now).await?
            }
            _ => None,
        };
        let used_by = used_by.map(|user| user.id);
        Ok(OpenedLink { purpose, token, user, email, payload, used_by })
    }

    /// Whether a link was used in the last minutes, perhaps since it was opened: its form was sent twice.
    pub(in crate::auth) async fn was_just_used(&self, link: &OpenedLink) -> Result<bool, Error> {
        let now = self.clock.now();
        let (digest, since) = (link.token.digest(), now - REPEATED_WITHIN);
        Ok(self.store.find_used_link(digest, link.purpose, since, now).await?.is_some())
    }

    /// Whether a link makes an account for this address under the settings of today.
    pub(in crate::auth) fn is_open_to(&self, purpose: Purpose, email: &Email) -> bool {
        match self.config.signup {
            SignUps::Open => purpose == Purpose::Invitation || self.config.allows_email(email),
            SignUps::ByInvitation => purpose == Purpose::Invitation,
            SignUps::Closed => false,
        }
    }

    /// The user of a link, and the address that the account gets by it, if the link still fits the account.
    async fn valid_link(
        &self,
        purpose: Purpose,
        FoundLink { recipient, payload, user }: FoundLink,
    ) -> Result<(Option<User>, Option<Email>), Error> {
        let now = self.clock.now();
        let is_enabled = user.disabled_at.is_none();
        Ok(match purpose {
            Purpose::PasswordReset | Purpose::SetPassword | Purpose::VerifyEmail => {
                (Some(user).filter(|user| is_enabled && user.email.key() == recipient), None)
            }
            Purpose::EmailChange => {
                let email = user.new_email.clone().filter(|email| email.key() == recipient);
                let email = email.filter(|email| self.config.allows_email(email));
                (Some(user).filter(|_| is_enabled && email.is_some()), email)
            }
            Purpose::EmailUndo => {
                let id = payload.and_then(|id| id.parse().ok());
                let former = match id {
                    Some(id) => self.store.find_former_email(id, user.id, now).await?,
                    None => None,
                };
                let may_undo = is_enabled || user.delete_at.is_some();
                let email = former.map(|former| former.email);
                (Some(user).filter(|_| may_undo && email.is_some()), email)
            }
            // Not one that was mailed to an address which was a thief's for a while.
            Purpose::NotMe => {
                let is_own = user.email.key() == recipient
                    || self.store.is_former_email(user.id, &recipient, now).await?;
                (Some(user).filter(|_| is_enabled && is_own), None)
            }
            Purpose::SignUp | Purpose::Invitation => (None, None),
            Purpose::AccountRestore => {
                (Some(user).filter(|user| user.delete_at.is_some_and(|at| at > now)), None)
            }
        })
    }

    /// The row to store for a link of this user, or of somebody who has no account yet, sent to this address in this
    /// message.
    pub(in crate::auth) fn new_link(
        &self,
        purpose: Purpose,
        token: &LinkToken,
        user: impl Into<Option<UserId>>,
        recipient: &Email,
        message: Option<Uuid>,
    ) -> NewLink {
        let now = self.clock.now();
        NewLink {
            digest: token.digest(),
            purpose,
            user: user.into(),
            recipient: recipient.key().to_owned(),
            payload: None,
            now,
            expires_at: now + purpose.ttl(),
            message,
        }
    }
}

/// The address of a link to somebody who has no account yet.
fn newcomer(purpose: Purpose, Sent { recipient, payload }: &Sent) -> Option<Email> {
    let payload = payload.as_ref()?;
    match purpose {
        Purpose::SignUp => Some(PendingSignUp::parse(payload)?.email),
        _ => Some(Email::from_row(payload.clone(), recipient.clone())),
    }
}
