//! What every handler of a page needs.

use rocket::Request;
use rocket::http::CookieJar;
use rocket::request::{FromRequest, Outcome};
use rocket::response::Redirect;

use crate::User;
use crate::auth::Auth;
use crate::auth::Session;
use crate::urls::{self, Path};
use crate::web::draft;
use crate::web::flash::Notice;
use crate::web::forms::FormState;
use crate::web::frame::Frame;
use crate::web::guards::CurrentSession;
use crate::web::session;

/// The guard of every handler that shows a page.
pub(in crate::web) struct Page<'r> {
    pub(in crate::web) frame: Frame<'r>,
    pub(in crate::web) session: Option<&'r Session>,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Page<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        CurrentSession::from_request(request).await.map(|CurrentSession(session)| {
            let frame = Frame { notice: Notice::take(request), ..Frame::of(request) };
            Self { frame, session }
        })
    }
}

impl<'r> Page<'r> {
    /// The signed-in user.
    pub(in crate::web) fn user(&self) -> Option<&'r User> {
        self.session.map(|session| &session.user)
    }

    /// Redirects to a page of ours.
    pub(in crate::web) fn go_to(&self, page: Path) -> Redirect {
        Redirect::to(self.frame.urls.to(page).to_string())
    }

    /// The session, if the password was given recently: for what is critical (ASVS 7.5.1).
    pub(in crate::web) fn recent_session(&self, auth: &Auth) -> Option<&'r Session> {
        self.session.filter(|session| auth.is_recent(session))
    }

    /// Redirects to the sign-in page, or, if somebody is signed in, to the one that asks for the password again; and
    /// from there back to a page of ours.
    pub(in crate::web) fn sign_in_first(&self, then: Path) -> Redirect {
        let first = if self.session.is_some() { urls::RECENT_LOGIN } else { urls::SIGN_IN };
        Redirect::to(self.frame.urls.and_then(first, &self.frame.urls.to(then).to_string()))
    }

    /// The same for a form: the page gets back what was typed, from the guard [`Draft`](super::Draft) and
    /// [`FormState::of_draft`]. Fields that may not be shown again are not kept.
    pub(in crate::web) async fn sign_in_first_with(
        &self,
        then: Path,
        form: &FormState,
        jar: &CookieJar<'_>,
        auth: &Auth,
    ) -> Redirect {
        let user = match self.user() {
            Some(user) => Some(user.id),
            None => session::last_user(jar, auth).await,
        };
        draft::put(jar, auth, &self.frame.urls.to(then).to_string(), form.to_draft(), user);
        self.sign_in_first(then)
    }
}
