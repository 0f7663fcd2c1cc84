//! The button to sign out.

use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{State, post};

use crate::auth::{Auth, Client};
use crate::web::flash::Notice;
use crate::web::session;
use crate::{Error, urls};

#[post("/logout")]
pub(in crate::web) async fn submit(
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Redirect, Error> {
    session::sign_out(auth, jar, &client).await?;
    Notice::SignedOut.put(jar, auth);
    Ok(Redirect::to(urls::FRONT_PAGE.as_str()))
}
