//! What every page needs: the frame around it, the forms of an answer, and the word about what was
//! just done.

use askama::Template;
use rocket::http::{Cookie, CookieJar, Header, SameSite, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::Redirect;
use rocket::response::content::RawHtml;
use rocket::{Request, Responder};

use super::assets::Assets;
use super::errors::{self, Refusal};
use super::form::FormState;
use super::guards::Visitor;
use super::next::Next;
use super::refusals::Reason;
use crate::auth::cookie::is_feigned;
use crate::auth::{Auth, Refused, Session};
use crate::config::{Config, Cookies};
use crate::{Error, User};

/// What `layout.html` needs.
#[derive(Clone, Copy)]
pub(super) struct Frame<'r> {
    /// The name of the site.
    pub(super) site_name: &'r str,
    /// Changes when a style sheet does.
    pub(super) version: &'r str,
    /// Whether to offer logging in or out: where nobody looked who is signed in, neither is true.
    pub(super) has_menu: bool,
    /// Who is signed in.
    pub(super) user: Option<&'r User>,
    /// What was just done.
    pub(super) notice: Option<Notice>,
}

impl<'r> Frame<'r> {
    /// A frame that asks the database nothing: for error pages.
    pub(super) fn bare(request: &'r Request<'_>) -> Self {
        let config = request.rocket().state::<Auth>().map(Auth::config);
        Self {
            site_name: config.map_or("Vestibule", |config| &config.site_name),
            version: Assets::version(request),
            has_menu: false,
            user: None,
            notice: None,
        }
    }
}

/// The guard of every handler that shows a page.
pub(super) struct Page<'r> {
    pub(super) frame: Frame<'r>,
    pub(super) session: Option<&'r Session>,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Page<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        Visitor::from_request(request).await.map(|Visitor(session)| {
            let mut frame = Frame::bare(request);
            frame.has_menu = true;
            frame.user = session.map(|session| &session.user);
            frame.notice = Notice::take(request);
            Self { frame, session }
        })
    }
}

impl<'r> Page<'r> {
    /// The user who is signed in.
    pub(super) fn user(&self) -> Option<&'r User> {
        self.session.map(|session| &session.user)
    }
}

/// A page with its status.
pub(super) type Shown = Result<(Status, RawHtml<String>), Error>;

/// Draws a page.
pub(super) fn show(status: Status, page: &impl Template) -> Shown {
    let text = page.render().map_err(|e| Error::new("a page cannot be drawn", e))?;
    Ok((status, RawHtml(text)))
}

/// A page, or on to another.
#[derive(Responder)]
pub(super) enum Answer {
    Page(Shown),
    /// With how long to wait.
    Later(Shown, Header<'static>),
    Refused(Refusal),
    Go(Redirect),
}

impl Answer {
    /// On to where the person wanted to go, or to the profile.
    pub(super) fn go(next: Option<&Next>) -> Self {
        Self::Go(Redirect::to(next.map_or("/profile", Next::as_str).to_owned()))
    }

    /// What was refused, where there is no form to show again.
    pub(super) fn without_form<R: Into<Reason>>(refused: Refused<R>) -> Result<Self, Error> {
        match refused {
            Refused::Because(reason) => Ok(Self::Refused(Refusal::from(reason.into()))),
            Refused::Wait(wait) => Ok(Self::Refused(Refusal::wait(wait))),
            Refused::Failed(error) => Err(error),
        }
    }

    /// The form again, with what was refused.
    pub(super) fn refused<R: Into<Reason>>(
        refused: Refused<R>,
        mut state: FormState,
        draw: impl FnOnce(Status, &FormState) -> Shown,
    ) -> Result<Self, Error> {
        match refused {
            Refused::Because(reason) => {
                let status = state.refuse_because(reason.into());
                Ok(Self::Page(draw(status, &state)))
            }
            Refused::Wait(wait) => {
                state.ask_to_wait(wait);
                Ok(Self::Later(draw(errors::status(wait), &state), errors::retry_after(wait)))
            }
            Refused::Failed(error) => Err(error),
        }
    }
}

/// An answer to a path that is a page for people and JSON for programs.
#[derive(Responder)]
pub(super) struct ByAccept<T> {
    answer: T,
    vary: Header<'static>,
}

impl<T> ByAccept<T> {
    pub(super) fn new(answer: T) -> Self {
        Self { answer, vary: Header::new("Vary", "Accept") }
    }
}

/// What was just done, said once on the page that the browser is sent to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    LoggedOut,
    NameSaved,
    LetterSent,
    LetterWaits,
    EnoughLetters,
    TooManyLetters,
    EmailVerified,
    PasswordChanged,
    PasswordReset,
}

impl Notice {
    const ALL: [Self; 9] = [
        Self::LoggedOut,
        Self::NameSaved,
        Self::LetterSent,
        Self::LetterWaits,
        Self::EnoughLetters,
        Self::TooManyLetters,
        Self::EmailVerified,
        Self::PasswordChanged,
        Self::PasswordReset,
    ];

    /// As it stands in the cookie.
    fn word(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged-out",
            Self::NameSaved => "name-saved",
            Self::LetterSent => "letter-sent",
            Self::LetterWaits => "letter-waits",
            Self::EnoughLetters => "enough-letters",
            Self::TooManyLetters => "too-many-letters",
            Self::EmailVerified => "email-verified",
            Self::PasswordChanged => "password-changed",
            Self::PasswordReset => "password-reset",
        }
    }

    /// The sentence.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::LoggedOut => "You are logged out.",
            Self::NameSaved => "Your name is saved.",
            Self::LetterSent => {
                "An e-mail with a link is on its way to you. It can take a few minutes."
            }
            Self::LetterWaits => {
                "Your e-mail is about to leave. When many people sign up at the same place, theirs leave \
                 one after the other: it can take up to an hour."
            }
            Self::TooManyLetters => {
                "Nothing was sent: too many e-mails were asked for from your network. Try again in an \
                 hour."
            }
            Self::EnoughLetters => {
                "We have sent you several e-mails whose links still work. Look for them, also in \
                 the spam folder; tomorrow you can ask for another."
            }
            Self::EmailVerified => "Your e-mail address is confirmed.",
            Self::PasswordChanged => {
                "Your new password is set, and every other device is logged out."
            }
            Self::PasswordReset => {
                "Your new password is set, and every device is logged out. Log in with it now."
            }
        }
    }

    /// Says it on the next page.
    pub(super) fn put(self, jar: &CookieJar<'_>, auth: &Auth) {
        let age = rocket::time::Duration::MINUTE;
        let mut cookie = cookie(auth.config(), self.word());
        cookie.set_max_age(age);
        jar.add(cookie);
    }

    fn take(request: &Request<'_>) -> Option<Self> {
        let jar = request.cookies();
        let config = request.rocket().state::<Auth>()?.config();
        if is_feigned(request, Cookies::Notice, config) {
            return None;
        }
        let word = jar.get(config.cookie_name(Cookies::Notice))?.value();
        jar.remove(cookie(config, ""));
        Self::ALL.into_iter().find(|notice| notice.word() == word)
    }
}

fn cookie(config: &Config, word: &'static str) -> Cookie<'static> {
    Cookie::build((config.cookie_name(Cookies::Notice), word))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(config.is_https())
        .build()
}
