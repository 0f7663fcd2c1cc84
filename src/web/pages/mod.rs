//! The pages: one file each, and what they share: the frame around them and the forms of an answer.

pub(in crate::web) mod home;
pub(in crate::web) mod login;
pub(in crate::web) mod password_change;
pub(in crate::web) mod password_reset;
pub(in crate::web) mod profile;
pub(in crate::web) mod signup;
pub(in crate::web) mod verify_email;

use askama::Template;
use rocket::http::{Header, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::Redirect;
use rocket::response::content::RawHtml;
use rocket::{Request, Responder};

use crate::auth::{Auth, Refused, Session};
use crate::web::assets::Assets;
use crate::web::errors::{self, Refusal};
use crate::web::flash::Notice;
use crate::web::form::FormState;
use crate::web::guards::Visitor;
use crate::web::next::Next;
use crate::web::refusals::Reason;
use crate::{Error, User};

/// What `layout.html` needs.
#[derive(Clone, Copy)]
pub(in crate::web) struct Frame<'r> {
    /// The name of the site.
    pub(in crate::web) site_name: &'r str,
    /// Changes when a style sheet does.
    pub(in crate::web) version: &'r str,
    /// Whether to offer logging in or out: where nobody looked who is signed in, neither is true.
    pub(in crate::web) has_menu: bool,
    /// Who is signed in.
    pub(in crate::web) user: Option<&'r User>,
    /// What was just done.
    pub(in crate::web) notice: Option<Notice>,
}

impl<'r> Frame<'r> {
    /// A frame that asks the database nothing: for error pages.
    pub(in crate::web) fn bare(request: &'r Request<'_>) -> Self {
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
pub(in crate::web) struct Page<'r> {
    pub(in crate::web) frame: Frame<'r>,
    pub(in crate::web) session: Option<&'r Session>,
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
    pub(in crate::web) fn user(&self) -> Option<&'r User> {
        self.session.map(|session| &session.user)
    }
}

/// A page with its status.
pub(in crate::web) type Shown = Result<(Status, RawHtml<String>), Error>;

/// Draws a page.
pub(in crate::web) fn show(status: Status, page: &impl Template) -> Shown {
    let text = page.render().map_err(|e| Error::new("a page cannot be drawn", e))?;
    Ok((status, RawHtml(text)))
}

/// A page, or on to another.
#[derive(Responder)]
pub(in crate::web) enum Answer {
    Page(Shown),
    /// With how long to wait.
    Later(Shown, Header<'static>),
    Refused(Refusal),
    Go(Redirect),
}

impl Answer {
    /// On to where the person wanted to go, or to the profile.
    pub(in crate::web) fn go(next: Option<&Next>) -> Self {
        Self::Go(Redirect::to(next.map_or("/profile", Next::as_str).to_owned()))
    }

    /// What was refused, where there is no form to show again.
    pub(in crate::web) fn without_form<R: Into<Reason>>(
        refused: Refused<R>,
    ) -> Result<Self, Error> {
        match refused {
            Refused::Because(reason) => Ok(Self::Refused(Refusal::from(reason.into()))),
            Refused::Wait(wait) => Ok(Self::Refused(Refusal::wait(wait))),
            Refused::Failed(error) => Err(error),
        }
    }

    /// The form again, with what was refused.
    pub(in crate::web) fn refused<R: Into<Reason>>(
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
pub(in crate::web) struct ByAccept<T> {
    answer: T,
    vary: Header<'static>,
}

impl<T> ByAccept<T> {
    pub(in crate::web) fn new(answer: T) -> Self {
        Self { answer, vary: Header::new("Vary", "Accept") }
    }
}
