//! The sign-up page.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, get, post};
use utoipa::ToSchema;

use crate::auth::{Auth, Client, Password, Refused, SignUp, SignUpBy, SignUpError, SignedUp};
use crate::config::{Link, SignUps};
use crate::web::flash::Notice;
use crate::web::forms::{Fields, FormState, Patch, Submitted, Ticked};
use crate::web::frame::Frame;
use crate::web::guards::{FormCookies, Page};
use crate::web::layout::parts;
use crate::web::next::Next;
use crate::web::openapi::schemas;
use crate::web::pages::{self, Answer, Shown};
use crate::web::refusals::CookiesLost;
use crate::web::session;
use crate::web::typed_email::TypedEmail;
use crate::words::{self, Text};
use crate::{Email, Error, Name, urls};

/// Who signs up.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct SignUpForm {
    #[schema(value_type = schemas::Email)]
    pub(in crate::web) email: Email,
    pub(in crate::web) password: Password,
    #[schema(value_type = Option<schemas::Name>)]
    pub(in crate::web) name: Patch<Name>,
    #[schema(ignore)]
    next: Option<Next>,
    /// Whether it was sent from our page, which came with a cookie.
    #[schema(ignore)]
    cookie: Ticked,
}

impl Fields for SignUpForm {
    const NAMES: &'static [&'static str] = &["email", "password", "name", "next", "cookie"];
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

fn draw(
    status: Status,
    page: &Page<'_>,
    form: &FormState,
    is_taken: bool,
    cookies: &FormCookies<'_>,
    auth: &Auth,
) -> Shown {
    cookies.try_one();
    let fewest = auth.config().password.fewest_characters();
    let password_hint = words::fields::new_password_hint(fewest);
    pages::show(status, &SignUpPage { frame: page.frame, form, password_hint, is_taken })
}

#[derive(Template)]
#[template(path = "sign_up_closed.html", blocks = ["title", "main"])]
struct ClosedPage<'a> {
    frame: Frame<'a>,
    title: Text,
    reason: &'static str,
    /// Who can help.
    support: Option<&'a Link>,
}

parts!(ClosedPage);

/// Says why nobody can sign up here without an invitation.
fn draw_closed(
    status: Status,
    page: &Page<'_>,
    signups: SignUps,
    cookies: &FormCookies<'_>,
) -> Shown {
    // The way from here to the form to sign in looks like one from a form.
    cookies.try_one();
    let title = words::pages::sign_up_closed::title(signups);
    let reason = words::pages::sign_up_closed::reason(signups);
    let support = page.frame.config.links.support.as_ref();
    pages::show(status, &ClosedPage { frame: page.frame, title, reason, support })
}

#[get("/signup?<next>")]
pub(in crate::web) fn show(
    page: Page<'_>,
    next: Option<&str>,
    cookies: FormCookies<'_>,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Answer {
    let next = next.and_then(Next::parse);
    if page.session.is_some() {
        return Answer::go(&page, next.as_ref());
    }
    if let Err(SignUpError::NotOpen(signups)) = auth.may_sign_up(None) {
        return Answer::Page(draw_closed(Status::Ok, &page, signups, &cookies));
    }
    let mut form = FormState::with("next", next.as_ref().map_or("", Next::as_str))
        .and_email(TypedEmail::read(jar, auth));
    if cookies.are_lost(false) {
        form.refuse_because(CookiesLost.into());
    }
    Answer::Page(draw(Status::Ok, &page, &form, false, &cookies, auth))
}

#[post("/signup", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, SignUpForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    cookies: FormCookies<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    if let Err(SignUpError::NotOpen(signups)) = auth.may_sign_up(None) {
        return Ok(Answer::Page(draw_closed(Status::Forbidden, &page, signups, &cookies)));
    }
    let draw =
        |status, state: &FormState, is_taken| draw(status, &page, state, is_taken, &cookies, auth);
    let Some(SignUpForm { email, password, name, next, cookie }) = submitted.form else {
        let draw = |status, state: &FormState| draw(status, state, false);
        return match also_wrong(&submitted, &client, auth).await {
            Ok(()) => Ok(Answer::Page(draw(Status::UnprocessableEntity, &submitted.state))),
            Err(refused) => Answer::refused(refused, submitted.state, draw),
        };
    };
    let state = submitted.state;
    if cookies.are_lost(cookie.0) {
        // Before there is an account that this browser could not use.
        let draw = |status, state: &FormState| draw(status, state, false);
        return Answer::refused(Refused::Because(CookiesLost), state, draw);
    }
    let typed = email.clone();
    let to = next.as_ref().map(|next| next.as_str().to_owned());
    let form = SignUp { email, password, name: name.into_new(), next: to };
    let by = SignUpBy::Browser(session::read(jar, auth.config()));
    match auth.sign_up(form, &client, by).await {
        Ok(SignedUp::Account { session, is_new, .. }) => {
            if let Some(new) = session {
                session::write(jar, auth.config(), new, &client);
                TypedEmail::forget(jar, auth.config());
            }
            if is_new {
                Notice::AccountReady.put(jar, auth);
            }
            Ok(Answer::go(&page, next.as_ref()))
        }
        Ok(SignedUp::LinkSent(email)) => {
            TypedEmail::ask(jar, auth, email);
            Ok(Answer::Go(page.go_to(urls::SIGN_UP_SENT)))
        }
        Err(refused) => {
            TypedEmail::keep(jar, auth, typed);
            let is_taken = matches!(refused, Refused::Because(SignUpError::EmailTaken));
            let draw = |status, state: &FormState| draw(status, state, is_taken);
            Answer::refused(refused, state, draw)
        }
    }
}

/// What is wrong with the password of a form that has another mistake.
pub(in crate::web) async fn also_wrong(
    submitted: &Submitted<'_, SignUpForm>,
    client: &Client,
    auth: &Auth,
) -> Result<(), Refused<SignUpError>> {
    let Some(password) = submitted.field("password") else { return Ok(()) };
    let email: Option<Email> = submitted.field("email");
    let name = submitted.field("name").and_then(Patch::<Name>::into_new);
    auth.check_sign_up_password(password, email.as_ref(), name.as_ref(), client).await
}
