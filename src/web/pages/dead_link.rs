//! The page for a link that was used, has expired, or never existed.

use askama::Template;
use rocket::http::Status;

use crate::auth::Purpose;
use crate::config::Link;
use crate::urls::{self, Url};
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::{self, Answer};
use crate::words::Text;
use crate::words::pages::dead_link;

#[derive(Template)]
#[template(path = "dead_link.html", blocks = ["title", "main"])]
struct DeadLinkPage<'a> {
    frame: Frame<'a>,
    advice: Text,
    /// The page that helps now.
    then: Url<'a>,
    button: Text,
    /// Who else can help.
    support: Option<&'a Link>,
}

parts!(DeadLinkPage);

pub(in crate::web) fn show(page: &Page<'_>, purpose: Purpose) -> Answer {
    let then = match purpose {
        Purpose::PasswordReset | Purpose::SetPassword | Purpose::EmailUndo | Purpose::NotMe => {
            urls::PASSWORD_RESET
        }
        Purpose::VerifyEmail => urls::PROFILE,
        Purpose::EmailChange => urls::SECURITY,
        Purpose::SignUp | Purpose::Invitation | Purpose::AccountRestore => urls::SIGN_IN,
    };
    // Nothing else gives an account back once these are too old.
    let is_last = matches!(purpose, Purpose::EmailUndo | Purpose::AccountRestore);
    let support = page.frame.config.links.support.as_ref().filter(|_| is_last);
    let then = page.frame.urls.to(then);
    let (advice, button) = (dead_link::advice(purpose), dead_link::button(purpose));
    let page = DeadLinkPage { frame: page.frame, advice, then, button, support };
    Answer::Page(pages::show(Status::NotFound, &page))
}
