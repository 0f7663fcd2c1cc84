//! Mailed links: which there are, how long each is good, and how one is opened. A new one is a line in the table below,
//! a message with its templates, and a page at `/<page>/<token>`.

use std::time::Duration;

use uuid::Uuid;

use super::store::NewLink;
use super::{Auth, LinkToken, User};
use crate::mail::Message;
use crate::{Error, urls};

const HOUR: Duration = Duration::from_hours(1);

/// Most links of one purpose that may be open for a user. A stranger who asks for more cannot void the one that the
/// owner is about to open.
pub(in crate::auth) const MOST_OPEN: i64 = 3;

macro_rules! purposes {
    ($($(#[$doc:meta])* $purpose:ident: $name:literal, at $page:ident, for $ttl:expr, mailed as $message:ident;)*) => {
        /// What a mailed link is for. One of another purpose is as if it were not there.
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

            /// The page that it leads to.
            pub(crate) const fn page(self) -> &'static str {
                match self {
                    $(Self::$purpose => urls::$page,)*
                }
            }

            /// How long such a link is good (ASVS 6.5.5).
            const fn ttl(self) -> Duration {
                match self {
                    $(Self::$purpose => $ttl,)*
                }
            }

            /// The message that holds it.
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
    /// Shows that the address of the account is the person's own.
    VerifyEmail: "verify-email", at VERIFY_EMAIL, for Duration::from_hours(24), mailed as VerifyEmail;
}

impl Message {
    /// What the link in it is for, if it holds one.
    pub(in crate::auth) fn link(self) -> Option<Purpose> {
        Purpose::ALL.iter().copied().find(|purpose| purpose.message() == self)
    }
}

/// A link that somebody has followed, looked up once for the whole request.
pub(crate) struct OpenedLink {
    /// Its secret.
    pub(crate) token: LinkToken,
    /// Whose it is; `None` if it was used, is too old, or never was one.
    pub(crate) user: Option<User>,
}

impl Auth {
    /// Finds out whose link it is, without using it up.
    pub(crate) async fn open_link(
        &self,
        purpose: Purpose,
        token: LinkToken,
    ) -> Result<OpenedLink, Error> {
        let user = self.store.find_link(token.digest(), purpose, self.clock.now()).await?;
        Ok(OpenedLink { token, user })
    }

    /// What the database keeps of a link to this user, which leaves in that message.
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
