//! A notice about what was just done, kept in a cookie for the next page.

use rocket::Request;
use rocket::http::{Cookie, CookieJar, SameSite};

use crate::auth::Auth;
use crate::config::{Config, Cookies};
use crate::web::session::is_forged;
use crate::words::notices;

/// What was just done, shown once on the page that the browser is redirected to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Notice {
    SignedOut,
    NameSaved,
    MessageSent,
    MessageWaits,
    EnoughMessages,
    TooManyMessages,
    EmailVerified,
    PasswordChanged,
    PasswordReset,
    PasswordSet,
}

impl Notice {
    const ALL: [Self; 10] = [
        Self::SignedOut,
        Self::NameSaved,
        Self::MessageSent,
        Self::MessageWaits,
        Self::EnoughMessages,
        Self::TooManyMessages,
        Self::EmailVerified,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::PasswordSet,
    ];

    /// The value of the cookie.
    fn word(self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::NameSaved => "name-saved",
            Self::MessageSent => "message-sent",
            Self::MessageWaits => "message-waits",
            Self::EnoughMessages => "enough-messages",
            Self::TooManyMessages => "too-many-messages",
            Self::EmailVerified => "email-verified",
            Self::PasswordChanged => "password-changed",
            Self::PasswordReset => "password-reset",
            Self::PasswordSet => "password-set",
        }
    }

    /// The sentence.
    pub(in crate::web) fn text(self) -> &'static str {
        match self {
            Self::SignedOut => notices::SIGNED_OUT,
            Self::NameSaved => notices::NAME_SAVED,
            Self::MessageSent => notices::MESSAGE_SENT,
            Self::MessageWaits => notices::MESSAGE_WAITS,
            Self::TooManyMessages => notices::TOO_MANY_MESSAGES,
            Self::EnoughMessages => notices::ENOUGH_MESSAGES,
            Self::EmailVerified => notices::EMAIL_VERIFIED,
            Self::PasswordChanged => notices::PASSWORD_CHANGED,
            Self::PasswordReset => notices::PASSWORD_RESET,
            Self::PasswordSet => notices::PASSWORD_SET,
        }
    }

    /// Shows the notice on the next page.
    pub(in crate::web) fn put(self, jar: &CookieJar<'_>, auth: &Auth) {
        let age = rocket::time::Duration::MINUTE;
        let mut cookie = cookie(auth.config(), self.word());
        cookie.set_max_age(age);
        jar.add(cookie);
    }

    pub(in crate::web) fn take(request: &Request<'_>) -> Option<Self> {
        let jar = request.cookies();
        let config = request.rocket().state::<Auth>()?.config();
        let word = jar.get(config.cookie_name(Cookies::Notice))?.value();
        if is_forged(request, Cookies::Notice, config) {
            return None;
        }
        jar.remove(cookie(config, ""));
        Self::ALL.into_iter().find(|notice| notice.word() == word)
    }
}

fn cookie(config: &Config, word: &'static str) -> Cookie<'static> {
    Cookie::build((config.cookie_name(Cookies::Notice).to_owned(), word))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(config.is_https())
        .build()
}
