//! The pages, one file each, and what they share: the frame around them and the types of responses.

pub(in crate::web) mod account_deletion;
pub(in crate::web) mod activity;
pub(in crate::web) mod dead_link;
pub(in crate::web) mod email_change;
pub(in crate::web) mod email_undo;
pub(in crate::web) mod home;
pub(in crate::web) mod invitation;
mod joined;
pub(in crate::web) mod not_me;
pub(in crate::web) mod password_change;
pub(in crate::web) mod password_reset;
pub(in crate::web) mod profile;
pub(in crate::web) mod recent_login;
pub(in crate::web) mod security;
pub(in crate::web) mod sessions;
pub(in crate::web) mod set_password;
pub(in crate::web) mod sign_in;
pub(in crate::web) mod sign_out;
pub(in crate::web) mod sign_up;
pub(in crate::web) mod sign_up_link;
pub(in crate::web) mod sign_up_sent;
pub(in crate::web) mod verify_email;
pub(in crate::web) mod your_data;

use rocket::Responder;
use rocket::http::{Header, Status};
use rocket::response::Redirect;

use crate::auth::Refused;
use crate::web::body::Html;
use crate::web::errors::{self, Refusal};
use crate::web::forms::FormState;
use crate::web::guards::Page;
use crate::web::layout::{self, Parts};
use crate::web::next::Next;
use crate::web::refusals::Reason;
use crate::{Error, urls};

/// A page with its status.
pub(in crate::web) type Shown = Result<(Status, Html), Error>;

/// Renders a page.
pub(in crate::web) fn show(status: Status, page: &impl Parts) -> Shown {
    Ok((status, Html(layout::draw(page)?)))
}

/// A page, or a redirect.
#[derive(Responder)]
pub(in crate::web) enum Answer {
    Page(Shown),
    /// With `Retry-After`.
    Later(Shown, Header<'static>),
    Refused(Refusal),
    Go(Redirect),
}

impl Answer {
    /// Redirects to where the user wanted to go, or to the profile.
    pub(in crate::web) fn go(page: &Page<'_>, next: Option<&Next>) -> Self {
        Self::Go(match next {
            Some(next) => Redirect::to(next.as_str().to_owned()),
            None => page.go_to(urls::PROFILE),
        })
    }

    /// A refusal without a form to show again.
    pub(in crate::web) fn without_form<R: Into<Reason>>(
        refused: Refused<R>,
    ) -> Result<Self, Error> {
        match refused {
            Refused::Because(reason) => Ok(Self::Refused(Refusal::from(reason.into()))),
            Refused::Wait(wait) => Ok(Self::Refused(Refusal::wait(wait))),
            Refused::Failed(error) => Err(error),
        }
    }

    /// A refusal with the form again.
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

/// A response on a path that has a page and JSON.
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
