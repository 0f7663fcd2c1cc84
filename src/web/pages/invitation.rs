//! The page that an invitation opens: it makes the account.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};

use crate::auth::{Auth, Client, JoinError, Password, Purpose, Refused, SignUpBy};
use crate::web::forms::{Fields, FormState, Patch, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::{Link, Page};
use crate::web::layout::parts;
use crate::web::pages::{self, Answer, Shown, dead_link, joined};
use crate::web::session;
use crate::{Email, Error, Name, words};

#[derive(FromForm)]
pub(in crate::web) struct AcceptForm {
    password: Password,
    name: Patch<Name>,
}

impl Fields for AcceptForm {
    const NAMES: &'static [&'static str] = &["password", "name"];
    const SHOWN: &'static [&'static str] = &["name"];
}

#[derive(Template)]
#[template(path = "invitation.html", blocks = ["title", "main"])]
struct InvitationPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    email: &'a Email,
    password_hint: String,
}

parts!(InvitationPage);

fn draw(status: Status, page: &Page<'_>, email: &Email, form: &FormState, auth: &Auth) -> Shown {
    let fewest = auth.config().password.fewest_characters();
    let password_hint = words::fields::new_password_hint(fewest);
    pages::show(status, &InvitationPage { frame: page.frame, form, email, password_hint })
}

#[get("/invitation/link")]
pub(in crate::web) fn show_link(link: Link, page: Page<'_>, auth: &State<Auth>) -> Answer {
    let link = link.0;
    match link.as_ref().and_then(|link| link.email.as_ref()) {
        Some(email) => Answer::Page(draw(Status::Ok, &page, email, &FormState::default(), auth)),
        None => joined::show_used(link.as_ref(), &page, Purpose::Invitation),
    }
}

/// The address is that of the link, whatever the form says.
#[post("/invitation/link", data = "<submitted>")]
pub(in crate::web) async fn submit_link(
    link: Link,
    submitted: Submitted<'_, AcceptForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Some(link) = link.0 else { return Ok(dead_link::show(&page, Purpose::Invitation)) };
    let Submitted { form, state, .. } = submitted;
    let Some(AcceptForm { password, name }) = form else {
        return Ok(match &link.email {
            Some(email) => {
                Answer::Page(draw(Status::UnprocessableEntity, &page, email, &state, auth))
            }
            None => dead_link::show(&page, Purpose::Invitation),
        });
    };
    let by = SignUpBy::Browser(session::read(jar, auth.config()));
    match auth.accept_invitation(&link, password, name.into_new(), &client, by).await {
        Ok(account) => Ok(joined::go_on(account, &page, &client, jar, auth)),
        Err(Refused::Because(JoinError::DeadLink)) => {
            Ok(dead_link::show(&page, Purpose::Invitation))
        }
        Err(refused) => {
            let Some(email) = link.email else { return Answer::without_form(refused) };
            let draw = |status, state: &FormState| draw(status, &page, &email, state, auth);
            Answer::refused(refused, state, draw)
        }
    }
}
