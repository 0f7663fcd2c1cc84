//! The page to log in, and the button to log out.

use askama::Template;
use rocket::http::{CookieJar, Header, Status};
use rocket::response::Redirect;
use rocket::{FromForm, Responder, State, get, post, uri};

use super::form::{Fields, FormState, Submitted, Ticked, Typed};
use super::next::Next;
use super::page::{self, Frame, Notice, Page, Shown};
use crate::Error;
use crate::auth::{Auth, Client, LogInError, UserId, cookie};

/// A page, or on to another.
#[derive(Responder)]
#[expect(clippy::large_enum_variant, reason = "lives for one answer")]
pub(super) enum Answer {
    Page(Shown),
    Go(Redirect),
}

#[derive(FromForm)]
pub(super) struct LogInForm {
    pub(super) email: Typed,
    pub(super) password: Typed,
    pub(super) remember: Ticked,
    next: Option<Next>,
}

impl Fields for LogInForm {
    const SHOWN: &'static [&'static str] = &["email", "remember", "next"];
}

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    /// Why the last try did not open an account.
    refused: Option<&'a str>,
}

/// The one message for an unknown address, a wrong password and a disabled account.
pub(super) const WRONG_CREDENTIALS: &str = "That address and password do not belong together.";

fn draw(status: Status, page: &Page<'_>, form: &FormState, refused: Option<&str>) -> Shown {
    page::show(status, &LogInPage { frame: page.frame, form, refused })
}

/// To the log-in page first, and back to `next` then.
pub(super) fn first(next: &str) -> Redirect {
    // A slash needs no escape in a query, and reads better without.
    Redirect::to(uri!(show(next = Some(next))).to_string().replace("%2F", "/"))
}

/// Signs a user in on this browser.
pub(super) async fn sign_in(
    auth: &Auth,
    jar: &CookieJar<'_>,
    client: &Client,
    user: UserId,
    remember: bool,
) -> Result<(), Error> {
    let replaced = cookie::read(jar, auth.config());
    let token = auth.start_session(user, remember, client, replaced).await?;
    cookie::write(jar, auth.config(), &token, remember);
    Ok(())
}

/// The answer to a log-out: nothing that a browser kept of signed-in pages outlives it. Not
/// `"cookies"`: that would take those of every app on the domain.
#[derive(Responder)]
pub(super) struct SignedOut<T> {
    answer: T,
    clear: Header<'static>,
}

impl<T> SignedOut<T> {
    pub(super) fn new(answer: T) -> Self {
        Self { answer, clear: Header::new("Clear-Site-Data", "\"cache\"") }
    }
}

/// Ends the session of this browser, if it has one, in the database and then in the browser.
pub(super) async fn sign_out(auth: &Auth, jar: &CookieJar<'_>) -> Result<(), Error> {
    if let Some(token) = cookie::read(jar, auth.config()) {
        auth.log_out(&token).await?;
    }
    cookie::remove(jar, auth.config());
    Ok(())
}

#[get("/login?<next>")]
pub(super) fn show(page: Page<'_>, next: Option<&str>) -> Answer {
    let next = next.and_then(Next::parse);
    if page.session.is_some() {
        return Answer::go(next.as_ref());
    }
    let form = FormState::with("next", next.as_ref().map_or("", Next::as_str));
    Answer::Page(draw(Status::Ok, &page, &form, None))
}

#[post("/login", data = "<submitted>")]
pub(super) async fn submit(
    submitted: Submitted<LogInForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Submitted { form, state } = submitted;
    let Some(form) = form else {
        return Ok(Answer::Page(draw(Status::UnprocessableEntity, &page, &state, None)));
    };
    match auth.log_in(&form.email.0, &form.password.0).await {
        Ok(user) => {
            sign_in(auth, jar, &client, user.id, form.remember.0).await?;
            Ok(Answer::go(form.next.as_ref()))
        }
        Err(LogInError::WrongCredentials) => {
            Ok(Answer::Page(draw(Status::Unauthorized, &page, &state, Some(WRONG_CREDENTIALS))))
        }
        Err(LogInError::Failed(error)) => Err(error),
    }
}

#[post("/logout")]
pub(super) async fn log_out(
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<SignedOut<Redirect>, Error> {
    sign_out(auth, jar).await?;
    Notice::SignedOut.put(jar, auth);
    Ok(SignedOut::new(Redirect::to("/")))
}
