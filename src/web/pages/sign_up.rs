//! The sign-up page.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};

use crate::auth::{Auth, Client, Password, Refused, SignUp, SignUpBy, SignUpError};
use crate::web::forms::{Fields, FormState, Patch, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::next::Next;
use crate::web::pages::{self, Answer, Shown};
use crate::web::session;
use crate::{Email, Error, Name, words};

#[derive(FromForm)]
pub(in crate::web) struct SignUpForm {
    pub(in crate::web) email: Email,
    pub(in crate::web) password: Password,
    pub(in crate::web) name: Patch<Name>,
    next: Option<Next>,
}

impl Fields for SignUpForm {
    const NAMES: &'static [&'static str] = &["email", "password", "name", "next"];
    const SHOWN: &'static [&'static str] = &["email", "name", "next"];
}

#[derive(Template)]
#[template(path = "sign_up.html", blocks = ["title", "main"])]
struct SignUpPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    password_hint: String,
    /// Whether the address has an account.
    is_taken: bool,
}

parts!(SignUpPage);

fn draw(status: Status, page: &Page<'_>, form: &FormState, is_taken: bool, auth: &Auth) -> Shown {
    let fewest = auth.config().password.fewest_characters();
    let password_hint = words::fields::new_password_hint(fewest);
    pages::show(status, &SignUpPage { frame: page.frame, form, password_hint, is_taken })
}

#[get("/signup?<next>")]
pub(in crate::web) fn show(page: Page<'_>, next: Option<&str>, auth: &State<Auth>) -> Answer {
    let next = next.and_then(Next::parse);
    if page.session.is_some() {
        return Answer::go(&page, next.as_ref());
    }
    let form = FormState::with("next", next.as_ref().map_or("", Next::as_str));
    Answer::Page(draw(Status::Ok, &page, &form, false, auth))
}

#[post("/signup", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<SignUpForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Submitted { form, state } = submitted;
    let Some(SignUpForm { email, password, name, next }) = form else {
        return Ok(Answer::Page(draw(Status::UnprocessableEntity, &page, &state, false, auth)));
    };
    let form = SignUp { email, password, name: name.into_new() };
    let by = SignUpBy::Browser(session::read(jar, auth.config()));
    match auth.sign_up(form, &client, by).await {
        Ok(signed_up) => {
            if let Some(new) = signed_up.session {
                session::write(jar, auth.config(), new, &client);
            }
            Ok(Answer::go(&page, next.as_ref()))
        }
        Err(refused) => {
            let is_taken = matches!(refused, Refused::Because(SignUpError::EmailTaken));
            let draw = |status, state: &FormState| draw(status, &page, state, is_taken, auth);
            Answer::refused(refused, state, draw)
        }
    }
}
