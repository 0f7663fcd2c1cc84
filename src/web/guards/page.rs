//! What every handler of a page needs.

use rocket::Request;
use rocket::request::{FromRequest, Outcome};
use rocket::response::Redirect;

use crate::User;
use crate::auth::Session;
use crate::urls::Path;
use crate::web::flash::Notice;
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
            let mut frame = Frame::bare(request);
            frame.has_menu = true;
            frame.user = session.map(|session| &session.user);
            frame.notice = Notice::take(request);
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

    /// Redirects to the sign-in page, and from there back to a page of ours.
    pub(in crate::web) fn sign_in_first(&self, then: Path) -> Redirect {
        session::sign_in_first(self.frame.urls, &self.frame.urls.to(then).to_string())
    }
}
