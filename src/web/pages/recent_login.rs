//! The page that asks a signed-in user for the password again: what is critical needs a recent sign-in (ASVS 7.5.1).

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{FromForm, State, get, post};
use utoipa::ToSchema;

use crate::auth::{Auth, Client, Limited, RecentLoginError, Refused};
use crate::web::errors::Refusal;
use crate::web::forms::{Attempt, Fields, FormState, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::web::layout::parts;
use crate::web::next::Next;
use crate::web::pages::{self, Answer, Shown};
use crate::web::session;
use crate::{Error, User, urls};

/// The password again.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct RecentLoginForm {
    pub(in crate::web) password: Attempt,
}

impl Fields for RecentLoginForm {
    const NAMES: &'static [&'static str] = &["password", "next"];
    const SHOWN: &'static [&'static str] = &["next"];
}

#[derive(Template)]
#[template(path = "recent_login.html", blocks = ["title", "main"])]
struct RecentLoginPage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    user: &'a User,
}

parts!(RecentLoginPage);

fn draw(status: Status, page: &Page<'_>, user: &User, form: &FormState) -> Shown {
    pages::show(status, &RecentLoginPage { frame: page.frame, form, user })
}

#[get("/recent-login?<next>")]
pub(in crate::web) fn show(page: Page<'_>, next: Option<&str>, auth: &State<Auth>) -> Answer {
    let next = next.and_then(Next::parse);
    let Some(session) = page.session else { return sign_in_first(&page, next.as_ref()) };
    if page.recent_session(auth).is_some() {
        return Answer::go(&page, next.as_ref());
    }
    let profile = page.frame.urls.to(urls::PROFILE).to_string();
    let form = FormState::with("next", next.as_ref().map_or(&*profile, Next::as_str));
    Answer::Page(draw(Status::Ok, &page, &session.user, &form))
}

#[post("/recent-login", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, RecentLoginForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Submitted { form, state, .. } = submitted;
    let next = Next::parse(state.value("next"));
    let sign_in_first = || Ok(sign_in_first(&page, next.as_ref()));
    let Some(token) = session::read(jar, auth.config()) else { return sign_in_first() };
    let password = form.map(|form| form.password.0);
    let renewed = match (page.session, password) {
        (Some(session), Some(password)) => {
            let draw = |status, state: &FormState| draw(status, &page, &session.user, state);
            match auth.renew_login(session, &token, password.as_ref(), &client).await {
                Ok(renewed) => renewed,
                Err(Refused::Because(RecentLoginError::SignedOut)) => return sign_in_first(),
                Err(refused) => return Answer::refused(refused, state, draw),
            }
        }
        (Some(session), None) => {
            let status = Status::UnprocessableEntity;
            return Ok(Answer::Page(draw(status, &page, &session.user, &state)));
        }
        // A form sent twice: the first one has renewed the session.
        (None, Some(Some(password))) => match auth.renew_again(&token, &password, &client).await {
            Ok(Some(renewed)) => renewed,
            Ok(None) => return sign_in_first(),
            Err(Limited::Wait(wait)) => return Ok(Answer::Refused(Refusal::wait(wait))),
            Err(Limited::Failed(error)) => return Err(error),
        },
        (None, _) => return sign_in_first(),
    };
    session::write(jar, auth.config(), renewed, &client);
    Ok(Answer::go(&page, next.as_ref()))
}

/// For whoever is not signed in (any more).
fn sign_in_first(page: &Page<'_>, next: Option<&Next>) -> Answer {
    let next = next.map_or("", Next::as_str);
    Answer::Go(Redirect::to(page.frame.urls.and_then(urls::SIGN_IN, next)))
}
