//! The page to set the first password of an account that somebody else has created.

use rocket::http::CookieJar;
use rocket::{State, get, post};

use crate::Error;
use crate::auth::{Auth, Client};
use crate::web::forms::Submitted;
use crate::web::guards::{Link, Page};
use crate::web::pages::Answer;
use crate::web::pages::password_reset::{self, NewPasswordForm};

#[get("/set-password/link")]
pub(in crate::web) fn show_link(link: Link, page: Page<'_>, auth: &State<Auth>) -> Answer {
    password_reset::show_link(link, page, auth)
}

#[post("/set-password/link", data = "<submitted>")]
pub(in crate::web) async fn submit_link(
    link: Link,
    submitted: Submitted<'_, NewPasswordForm>,
    page: Page<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Answer, Error> {
    password_reset::submit_link(link, submitted, page, client, jar, auth).await
}
