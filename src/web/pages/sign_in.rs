//! The sign-in page.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{FromForm, State, get, post};
use utoipa::ToSchema;

use crate::auth::{Auth, Client, Refused, WrongCredentials};
use crate::web::forms::{Attempt, Fields, FormState, Submitted, Ticked, Typed};
use crate::web::frame::Frame;
use crate::web::guards::{FormCookies, Page};
use crate::web::layout::parts;
use crate::web::next::Next;
use crate::web::pages::{self, Answer, Shown};
use crate::web::refusals::CookiesLost;
use crate::web::session::sign_in;
use crate::web::typed_email::TypedEmail;
use crate::{Error, urls};

/// Who signs in.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct SignInForm {
    /// The address of the account.
    pub(in crate::web) email: Typed,
    pub(in crate::web) password: Attempt,
    /// Whether to stay signed in after the browser is closed.
    #[schema(required = false)]
    pub(in crate::web) remember: Ticked,
    #[schema(ignore)]
    next: Option<Next>,
    /// Whether it was sent from our page, which came with a cookie.
    #[schema(ignore)]
    cookie: Ticked,
}

impl Fields for SignInForm {
    const NAMES: &'static [&'static str] = &["email", "password", "remember", "next", "cookie"];
    const SHOWN: &'static [&'static str] = &["email", "remember", "next"];
}

#[derive(Template)]
#[template(path = "sign_in.html", blocks = ["title", "main"])]
struct SignInPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
}

parts!(SignInPage);

fn draw(status: Status, page: &Page<'_>, form: &FormState, cookies: &FormCookies<'_>) -> Shown {
    cookies.try_one();
    pages::show(status, &SignInPage { frame: page.frame, form })
}

#[get("/login?<next>")]
pub(in crate::web) fn show(
    page: Page<'_>,
    next: Option<&str>,
    cookies: FormCookies<'_>,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Answer {
    let next = next.and_then(Next::parse);
    // A page that asks for a recent sign-in leads here: on to it at once would go round in a circle.
    let is_asked_again = |session| next.is_some() && !auth.is_recent(session);
    if page.session.is_some_and(|session| !is_asked_again(session)) {
        return Answer::go(&page, next.as_ref());
    }
    let mut form = FormState::with("next", next.as_ref().map_or("", Next::as_str))
        .and_email(TypedEmail::read(jar, auth));
    if cookies.are_lost(false) {
        form.refuse_because(CookiesLost.into());
    }
    Answer::Page(draw(Status::Ok, &page, &form, &cookies))
}

#[post("/login", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, SignInForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    cookies: FormCookies<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Submitted { form, state, .. } = submitted;
    let draw = |status, state: &FormState| draw(status, &page, state, &cookies);
    let Some(form) = form else {
        return Ok(Answer::Page(draw(Status::UnprocessableEntity, &state)));
    };
    if cookies.are_lost(form.cookie.0) {
        return Answer::refused(Refused::Because(CookiesLost), state, draw);
    }
    match auth.verify_password(&form.email.0, form.password.0.as_ref(), &client).await {
        Ok(proof) if sign_in(auth, jar, &client, &proof, form.remember.0).await? => {
            Ok(Answer::go(&page, form.next.as_ref()))
        }
        Ok(_) => Answer::refused(Refused::Because(WrongCredentials), state, draw),
        Err(refused) => Answer::refused(refused, state, draw),
    }
}

#[derive(FromForm)]
pub(in crate::web) struct GoOnForm {
    email: Typed,
    to: Typed,
    next: Option<Next>,
}

impl Fields for GoOnForm {
    const NAMES: &'static [&'static str] = &["email", "to", "next"];
    const SHOWN: &'static [&'static str] = &[];
}

/// The value of the button that leads on to signing up.
pub(in crate::web) const TO_SIGN_UP: &str = "signup";

/// From a refused sign-in on to the form for a forgotten password, or to sign up, with the address that was typed. By
/// a button: the refusal sets no cookie, so that it is the same for every address (promise 9), and a link would put
/// the address into logs.
#[post("/login/go-on", data = "<submitted>")]
pub(in crate::web) fn go_on(
    submitted: Submitted<'_, GoOnForm>,
    page: Page<'_>,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Redirect {
    let Some(GoOnForm { email, to, next }) = submitted.form else {
        return page.go_to(urls::SIGN_IN);
    };
    // People type their password there too: only an address is kept.
    if let Ok(email) = email.0.parse() {
        TypedEmail::keep(jar, auth, email);
    }
    if to.0 == TO_SIGN_UP {
        let next = next.as_ref().map_or("", Next::as_str);
        return Redirect::to(page.frame.urls.and_then(urls::SIGN_UP, next));
    }
    page.go_to(urls::PASSWORD_RESET)
}
