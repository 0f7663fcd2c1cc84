//! Mailed links: their purposes, how long each is valid, and how one is opened. To add one: a line in the table
//! below, a message with its templates, and a page at `/<page>/<token>`.

use std::time::Duration;

use uuid::Uuid;

use super::change::REPEATED_WITHIN;
use super::store::NewLink;
use super::{Auth, LinkToken, User, UserId};
use crate::mail::Message;
use crate::{Error, urls};

const HOUR: Duration = Duration::from_hours(1);

/// The number of links of one purpose that a user may have open. Asking for more does not void the older ones: a
/// stranger must not void the link that the owner is about to open.
pub(in crate::auth) const MOST_OPEN: i64 = 3;

macro_rules! purposes {
    ($($(#[$doc:meta])* $purpose:ident: $name:literal, at $page:ident, for $ttl:expr, mailed as $message:ident;)*) => {
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
            const fn ttl(self) -> Duration {
                match self {
                    $(Self::$purpose => $ttl,)*
                }
            }

            /// The message that contains it.
            const fn message(self) -> Message {
                match self {
                    $(Self::$purpose => Message::$message,)*
                }
            }
        }
    };
}

purposes! {
    /// Sets a new password.
    PasswordReset: "password-reset", at PASSWORD_RESET, for HOUR, mailed as PasswordReset;
    /// Sets the first password of an account that somebody else has created.
    SetPassword: "set-password", at SET_PASSWORD, for Duration::from_hours(7 * 24), mailed as AccountCreated;
    /// Shows that the email address belongs to the user.
    VerifyEmail: "verify-email", at VERIFY_EMAIL, for Duration::from_hours(24), mailed as VerifyEmail;
}

impl Message {
    /// The purpose of the link in this message, if it contains one.
    pub(in crate::auth) fn link(self) -> Option<Purpose> {
        Purpose::ALL.iter().copied().find(|purpose| purpose.message() == self)
    }
}

/// A followed link, looked up once per request.
pub(crate) struct OpenedLink {
    pub(crate) purpose: Purpose,
    /// The token in the link.
    pub(crate) token: LinkToken,
    /// The user it belongs to; `None` if the link was used, has expired, or never existed.
    pub(crate) user: Option<User>,
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
        let user = self.store.find_link(digest, purpose, now).await?;
        let used_by = match user {
            Some(_) => None,
            None => self.store.find_used_link(digest, purpose, now - REPEATED_WITHIN, now).await?,
        };
        Ok(OpenedLink { purpose, token, user, used_by: used_by.map(|user| user.id) })
    }

    /// The row to store for a link to this user in this message.
    pub(in crate::auth) fn new_link(
        &self,
        purpose: Purpose,
        token: &LinkToken,
        user: &User,
        message: Option<Uuid>,
    ) -> NewLink {
        let now = self.clock.now();
        NewLink {
            digest: token.digest(),
            purpose,
            user: user.id,
            recipient: user.email.key().to_owned(),
            now,
            expires_at: now + purpose.ttl(),
            message,
        }
    }
}
