//! The profile page.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, Responder, State, get, post};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{Auth, Client, Refused, SignedOut};
use crate::web::accept::Wants;
use crate::web::body::Json;
use crate::web::errors::Refusal;
use crate::web::flash::Notice;
use crate::web::forms::{Fields, FormState, Patch, Submitted};
use crate::web::frame::Frame;
use crate::web::guards::{Draft, Page};
use crate::web::layout::parts;
use crate::web::openapi::schemas;
use crate::web::pages::{self, Answer, ByAccept, Shown};
use crate::web::refusals::Reason;
use crate::{Email, Error, Name, User, urls, words};

#[derive(FromForm)]
pub(in crate::web) struct ProfileForm {
    pub(in crate::web) name: Patch<Name>,
}

impl Fields for ProfileForm {
    const NAMES: &'static [&'static str] = &["name"];
    const SHOWN: &'static [&'static str] = &["name"];
}

#[derive(Template)]
#[template(path = "profile.html", blocks = ["title", "main"])]
struct ProfilePage<'a> {
    frame: Frame<'a>,
    form: &'a FormState,
    user: &'a User,
    member_since: String,
}

parts!(ProfilePage);

fn draw(status: Status, page: &Page<'_>, user: &User, form: &FormState) -> Shown {
    let member_since = words::dates::day(user.created_at, &page.frame.config.time_zone);
    pages::show(status, &ProfilePage { frame: page.frame, form, user, member_since })
}

#[derive(Responder)]
pub(in crate::web) enum Profile {
    Answer(Answer),
    Json(Json<ProfileJson>),
    Refusal(Refusal),
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = OlderProfile)]
pub(in crate::web) struct ProfileJson {
    #[schema(value_type = schemas::Email)]
    email: Email,
}

/// Show who is signed in
#[utoipa::path(
    get,
    path = "/profile",
    operation_id = "older_get_profile",
    tag = "Older clients",
    security(("session" = [])),
    responses(
        (status = 200, body = ProfileJson, description = "The address; a page for those who prefer HTML"),
        (status = 303, description = "To the sign-in page, for those who prefer HTML"),
        (status = 403, description = "There is no session")
    )
)]
#[get("/profile")]
pub(in crate::web) fn show(page: Page<'_>, draft: Draft, wants: Wants) -> ByAccept<Profile> {
    ByAccept::new(match (page.user(), wants) {
        (Some(user), Wants::Page) => {
            let form = draft.0.map_or_else(
                || FormState::with("name", user.name.as_ref().map_or("", Name::as_str)),
                |draft| FormState::of_draft(&draft),
            );
            Profile::Answer(Answer::Page(draw(Status::Ok, &page, user, &form)))
        }
        (Some(user), Wants::Json) => Profile::Json(Json(ProfileJson { email: user.email.clone() })),
        (None, Wants::Page) => Profile::Answer(Answer::Go(page.sign_in_first(urls::PROFILE))),
        (None, Wants::Json) => {
            Profile::Refusal(Refusal::new(Status::Forbidden, words::api::NOT_SIGNED_IN))
        }
    })
}

#[post("/profile", data = "<submitted>")]
pub(in crate::web) async fn submit(
    submitted: Submitted<'_, ProfileForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    let Submitted { form, state, .. } = submitted;
    let Some(session) = page.session else {
        return Ok(Answer::Go(page.sign_in_first_with(urls::PROFILE, &state, jar, auth).await));
    };
    let draw = |status, state: &FormState| draw(status, &page, &session.user, state);
    let name = match form {
        Some(ProfileForm { name: Patch::Set(name) }) => name,
        // A browser always sends the field. What is shown again is the stored name: an empty field would delete it.
        Some(ProfileForm { name: Patch::Keep }) => {
            let name = session.user.name.as_ref().map_or("", Name::as_str);
            let refused = Refused::Because(Reason::missing("name"));
            return Answer::refused(refused, FormState::with("name", name), draw);
        }
        None => return Ok(Answer::Page(draw(Status::UnprocessableEntity, &state))),
    };
    match auth.rename(session, name.as_ref(), &client).await {
        Ok(()) => {
            Notice::NameSaved.put(jar, auth);
            Ok(Answer::Go(page.go_to(urls::PROFILE)))
        }
        // It has ended since it was looked up.
        Err(Refused::Because(SignedOut)) => {
            let page = Page { session: None, ..page };
            Ok(Answer::Go(page.sign_in_first_with(urls::PROFILE, &state, jar, auth).await))
        }
        Err(refused) => Answer::refused(refused, state, draw),
    }
}
