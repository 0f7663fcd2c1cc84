//! The page to change the password.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{FromForm, State, get, post};
use utoipa::ToSchema;

use crate::auth::{
    Auth, ChangePasswordError, Client, Limited, NewSession, Password, PasswordError, Refused,
    Session,
};
use crate::web::errors::Refusal;
use crate::web::flash::Notice;
use crate::web::forms::{Attempt, Fields, FormState, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::pages::{self, Answer, Shown};
use crate::web::session;
use crate::{Error, User, urls, words};

/// The current password, and a new one.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct ChangeForm {
    pub(in crate::web) password: Attempt,
    pub(in crate::web) new_password: Password,
}

impl Fields for ChangeForm {
    const NAMES: &'static [&'static str] = &["password", "new_password"];
    const SHOWN: &'static [&'static str] = &[];
}

#[derive(Template)]
#[template(path = "password_change.html", blocks = ["title", "main"])]
struct ChangePage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    user: &'a User,
    password_hint: String,
}

parts!(ChangePage);

fn draw(status: Status, page: &Page<'_>, user: &User, form: &FormState, auth: &Auth) -> Shown {
    let fewest = auth.config().password.fewest_characters();
    let password_hint = words::fields::new_password_hint(fewest);
    pages::show(status, &ChangePage { frame: page.frame, form, user, password_hint })
}

#[get("/password-change")]
pub(in crate::web) fn show(page: Page<'_>, auth: &State<Auth>) -> Answer {
    match page.user() {
        Some(user) => Answer::Page(draw(Status::Ok, &page, user, &FormState::default(), auth)),
        None => Answer::Go(page.sign_in_first(urls::PASSWORD_CHANGE)),
    }
}

#[post("/password-change", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, ChangeForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let sign_in_first = || Ok(Answer::Go(page.sign_in_first(urls::PASSWORD_CHANGE)));
    let Some(token) = session::read(jar, auth.config()) else { return sign_in_first() };
    let Some(session) = page.session else {
        let Some(ChangeForm { new_password, .. }) = submitted.form else { return sign_in_first() };
        return match auth.renew_again(&token, &new_password, &client).await {
            Ok(Some(renewed)) => Ok(done(&page, auth, jar, &client, renewed)),
            Ok(None) => sign_in_first(),
            Err(Limited::Wait(wait)) => Ok(Answer::Refused(Refusal::wait(wait))),
            Err(Limited::Failed(error)) => Err(error),
        };
    };
    let draw = |status, state: &FormState| draw(status, &page, &session.user, state, auth);
    let Some(ChangeForm { password, new_password }) = submitted.form else {
        return match also_wrong(&submitted, session, &client, auth).await {
            Ok(()) => Ok(Answer::Page(draw(Status::UnprocessableEntity, &submitted.state))),
            Err(refused) => Answer::refused(refused, submitted.state, draw),
        };
    };
    let state = submitted.state;
    let current = password.0.as_ref();
    match auth.change_password(session, &token, current, new_password, &client).await {
        Ok(renewed) => Ok(done(&page, auth, jar, &client, renewed)),
        Err(Refused::Because(ChangePasswordError::SignedOut)) => sign_in_first(),
        Err(refused) => Answer::refused(refused, state, draw),
    }
}

/// What is wrong with the passwords of a form that has another mistake.
pub(in crate::web) async fn also_wrong(
    submitted: &Submitted<'_, ChangeForm>,
    session: &Session,
    client: &Client,
    auth: &Auth,
) -> Result<(), Refused<ChangePasswordError>> {
    let current = submitted.field::<Attempt>("password");
    let current =
        current.as_ref().map(|Attempt(tried)| tried.as_ref().ok_or(PasswordError::TooLong));
    let new = submitted.field("new_password");
    auth.check_change(session, current, new, client).await
}

/// The password was changed: this browser continues with a new session.
fn done(
    page: &Page<'_>,
    auth: &Auth,
    jar: &CookieJar<'_>,
    client: &Client,
    renewed: NewSession,
) -> Answer {
    session::write(jar, auth.config(), renewed, client);
    Notice::PasswordChanged.put(jar, auth);
    Answer::Go(page.go_to(urls::PROFILE))
}

/// The URL where password managers find the form (W3C, "A Well-Known URL for Changing Passwords").
#[get("/.well-known/change-password")]
pub(in crate::web) fn well_known(auth: &State<Auth>) -> Redirect {
    Redirect::to(auth.config().urls.to(urls::PASSWORD_CHANGE).to_string())
}
