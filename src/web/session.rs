//! Signing a browser in and out, whatever page or program asked for it.

use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{State, post, uri};

use crate::Error;
use crate::auth::{Auth, Client, PasswordProof, cookie};
use crate::web::flash::Notice;
use crate::web::pages::login;

/// To the log-in page first, and back to `next` then.
pub(in crate::web) fn first(next: &str) -> Redirect {
    // A slash needs no escape in a query, and reads better without.
    Redirect::to(uri!(login::show(next = Some(next))).to_string().replace("%2F", "/"))
}

/// Signs a user in on this browser; `false` if the account has changed since the proof was given.
pub(in crate::web) async fn sign_in(
    auth: &Auth,
    jar: &CookieJar<'_>,
    client: &Client,
    proof: &PasswordProof,
    remember: bool,
) -> Result<bool, Error> {
    let replaced = cookie::read(jar, auth.config());
    let Some(new) = auth.start_session(proof, remember, client, replaced).await? else {
        return Ok(false);
    };
    cookie::write(jar, auth.config(), new, client);
    Ok(true)
}

/// Ends the session that came next, if the cookie is that of one which a change of the password has just replaced: who
/// logs out with it means that one. Whether there was such a session.
pub(in crate::web) async fn end_renewed_session(
    auth: &Auth,
    jar: &CookieJar<'_>,
    client: &Client,
) -> Result<bool, Error> {
    match cookie::read(jar, auth.config()) {
        Some(token) => auth.log_out(&token, client).await,
        None => Ok(false),
    }
}

/// Ends the session of this browser, if it has one, in the database and then in the browser.
pub(in crate::web) async fn sign_out(
    auth: &Auth,
    jar: &CookieJar<'_>,
    client: &Client,
) -> Result<(), Error> {
    if let Some(token) = cookie::read(jar, auth.config()) {
        auth.log_out(&token, client).await?;
    }
    cookie::remove(jar, auth.config());
    Ok(())
}

#[post("/logout")]
pub(in crate::web) async fn log_out(
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Redirect, Error> {
    sign_out(auth, jar, &client).await?;
    Notice::LoggedOut.put(jar, auth);
    Ok(Redirect::to("/"))
}
