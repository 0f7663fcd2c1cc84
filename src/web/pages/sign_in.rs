//! The sign-in page.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};

use crate::Error;
use crate::auth::{Auth, Client, Refused, WrongCredentials};
use crate::web::forms::{Attempt, Fields, FormState, Submitted, Ticked, Typed};
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::next::Next;
use crate::web::pages::{self, Answer, Shown};
use crate::web::session::sign_in;

#[derive(FromForm)]
pub(in crate::web) struct SignInForm {
    pub(in crate::web) email: Typed,
    pub(in crate::web) password: Attempt,
    pub(in crate::web) remember: Ticked,
    next: Option<Next>,
}

impl Fields for SignInForm {
    const NAMES: &'static [&'static str] = &["email", "password", "remember", "next"];
    const SHOWN: &'static [&'static str] = &["email", "remember", "next"];
}

#[derive(Template)]
#[template(path = "sign_in.html", blocks = ["title", "main"])]
struct SignInPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
}

parts!(SignInPage);

fn draw(status: Status, page: &Page<'_>, form: &FormState) -> Shown {
    pages::show(status, &SignInPage { frame: page.frame, form })
}

#[get("/login?<next>")]
pub(in crate::web) fn show(page: Page<'_>, next: Option<&str>, auth: &State<Auth>) -> Answer {
    let next = next.and_then(Next::parse);
    // A page that asks for a recent sign-in leads here: on to it at once would go round in a circle.
    let is_asked_again = |session| next.is_some() && !auth.is_recent(session);
    if page.session.is_some_and(|session| !is_asked_again(session)) {
        return Answer::go(&page, next.as_ref());
    }
    let form = FormState::with("next", next.as_ref().map_or("", Next::as_str));
    Answer::Page(draw(Status::Ok, &page, &form))
}

#[post("/login", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, SignInForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Submitted { form, state, .. } = submitted;
    let draw = |status, state: &FormState| draw(status, &page, state);
    let Some(form) = form else {
        return Ok(Answer::Page(draw(Status::UnprocessableEntity, &state)));
    };
    match auth.verify_password(&form.email.0, form.password.0.as_ref(), &client).await {
        Ok(proof) if sign_in(auth, jar, &client, &proof, form.remember.0).await? => {
            Ok(Answer::go(&page, form.next.as_ref()))
        }
        Ok(_) => Answer::refused(Refused::Because(WrongCredentials), state, draw),
        Err(refused) => Answer::refused(refused, state, draw),
    }
}
