//! What every page needs: the frame around it, and the word about what was just done.

use askama::Template;
use rocket::http::{Cookie, CookieJar, SameSite, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::content::RawHtml;
use rocket::{Request, State};

use super::assets::Assets;
use super::guards::Visitor;
use crate::auth::{Auth, Session};
use crate::{Error, User};

/// What `layout.html` needs.
#[derive(Clone, Copy)]
pub(super) struct Frame<'r> {
    /// The name of the site.
    pub(super) site_name: &'r str,
    /// Changes when a style sheet does.
    pub(super) version: &'r str,
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

/// What was just done, said once on the page that the browser is sent to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    SignedOut,
    NameSaved,
    LetterSent,
    EmailVerified,
    PasswordChanged,
}

const NOTICES: [(Notice, &str, &str); 5] = [
    (Notice::SignedOut, "signed-out", "You are signed out."),
    (Notice::NameSaved, "name-saved", "Your name is saved."),
    (
        Notice::LetterSent,
        "letter-sent",
        "A letter with a link is on its way. It can take a few minutes.",
    ),
    (Notice::EmailVerified, "email-verified", "Your e-mail address is confirmed."),
    (
        Notice::PasswordChanged,
        "password-changed",
        "Your new password is set, and every device is signed out. Log in with it now.",
    ),
];

const COOKIE: &str = "notice";

impl Notice {
    /// Says it on the next page.
    pub(super) fn put(self, jar: &CookieJar<'_>, auth: &State<Auth>) {
        let word =
            NOTICES.iter().find(|(notice, ..)| *notice == self).map_or("", |(_, word, _)| word);
        let minute = rocket::time::Duration::MINUTE;
        let secure = auth.config().is_https();
        jar.add(
            Cookie::build((COOKIE, word))
                .path("/")
                .http_only(true)
                .same_site(SameSite::Lax)
                .secure(secure)
                .max_age(minute),
        );
    }

    fn take(request: &Request<'_>) -> Option<Self> {
        let jar = request.cookies();
        let word = jar.get(COOKIE)?.value();
        jar.remove(Cookie::build(COOKIE).path("/"));
        NOTICES.iter().find(|(_, known, _)| *known == word).map(|(notice, ..)| *notice)
    }

    /// The sentence.
    pub(super) fn text(self) -> &'static str {
        NOTICES.iter().find(|(notice, ..)| *notice == self).map_or("", |(.., text)| text)
    }
}
