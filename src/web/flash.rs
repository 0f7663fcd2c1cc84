//! A notice about what was just done, kept in a cookie for the next page.

use rocket::Request;
use rocket::http::CookieJar;

use crate::auth::Auth;
use crate::config::Cookies;
use crate::named::named_enum;
use crate::web::session::{cookie, is_forged};
use crate::words::notices;

named_enum! {
    /// What was just done, shown once on the page that the browser is redirected to, by its name in the cookie.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(in crate::web) enum Notice {
        SignedOut = "signed-out",
        AccountReady = "account-ready",
        AccountCreated = "account-created",
        DraftKept = "draft-kept",
        NameSaved = "name-saved",
        MessageSent = "message-sent",
        MessageWaits = "message-waits",
        EnoughMessages = "enough-messages",
        TooManyMessages = "too-many-messages",
        EmailVerified = "email-verified",
        PasswordChanged = "password-changed",
        PasswordReset = "password-reset",
        PasswordSet = "password-set",
        LinkSent = "link-sent",
        EmailChangeCancelled = "email-change-cancelled",
        EmailChanged = "email-changed",
        DeviceSignedOut = "device-signed-out",
        DeviceNotThere = "device-not-there",
        EmailUndone = "email-undone",
        OthersSignedOut = "others-signed-out",
        AccountRestored = "account-restored",
    }
}

impl Notice {
    /// Whether it was done: what was refused, or is still to be done, looks different.
    pub(in crate::web) fn is_good(self) -> bool {
        !matches!(
            self,
            Self::DraftKept
                | Self::DeviceNotThere
                | Self::MessageWaits
                | Self::EnoughMessages
                | Self::TooManyMessages
        )
    }

    /// The sentence.
    pub(in crate::web) fn text(self) -> &'static str {
        match self {
            Self::SignedOut => notices::SIGNED_OUT,
            Self::AccountReady => notices::ACCOUNT_READY,
            Self::AccountCreated => notices::ACCOUNT_CREATED,
            Self::DraftKept => notices::DRAFT_KEPT,
            Self::NameSaved => notices::NAME_SAVED,
            Self::MessageSent => notices::MESSAGE_SENT,
            Self::MessageWaits => notices::MESSAGE_WAITS,
            Self::TooManyMessages => notices::TOO_MANY_MESSAGES,
            Self::EnoughMessages => notices::ENOUGH_MESSAGES,
            Self::EmailVerified => notices::EMAIL_VERIFIED,
            Self::PasswordChanged => notices::PASSWORD_CHANGED,
            Self::PasswordReset => notices::PASSWORD_RESET,
            Self::PasswordSet => notices::PASSWORD_SET,
            Self::LinkSent => notices::LINK_SENT,
            Self::EmailChangeCancelled => notices::EMAIL_CHANGE_CANCELLED,
            Self::EmailChanged => notices::EMAIL_CHANGED,
            Self::DeviceSignedOut => notices::DEVICE_SIGNED_OUT,
            Self::DeviceNotThere => notices::DEVICE_NOT_THERE,
            Self::EmailUndone => notices::EMAIL_UNDONE,
            Self::OthersSignedOut => notices::OTHERS_SIGNED_OUT,
            Self::AccountRestored => notices::ACCOUNT_RESTORED,
        }
    }

    /// Shows the notice on the next page.
    pub(in crate::web) fn put(self, jar: &CookieJar<'_>, auth: &Auth) {
        let mut cookie = cookie(auth.config(), Cookies::Notice, self.as_str());
        cookie.set_max_age(rocket::time::Duration::MINUTE);
        jar.add(cookie);
    }

    pub(in crate::web) fn take(request: &Request<'_>) -> Option<Self> {
        let jar = request.cookies();
        let config = request.rocket().state::<Auth>()?.config();
        let word = jar.get(config.cookie_name(Cookies::Notice))?.value();
        if is_forged(request, Cookies::Notice, config) {
            return None;
        }
        jar.remove(cookie(config, Cookies::Notice, ""));
        Self::parse(word)
    }
}
