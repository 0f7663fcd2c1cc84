//! What was typed into a form whose sender has to sign in first: sealed, in a cookie, for ten minutes.

use std::time::Duration;

use rocket::Request;
use rocket::http::CookieJar;
use rocket::http::uri::Origin;
use rocket::serde::json::{from_str, to_string};
use serde::{Deserialize, Serialize};

use crate::auth::Auth;
use crate::clock::{CLOCKS_DIFFER, Timestamp};
use crate::config::Cookies;
use crate::web::flash::Notice;
use crate::web::next::Next;
use crate::web::paths::{asked_path, clean_path};
use crate::web::session::{cookie, is_forged};
use crate::{User, UserId};

/// How long a draft is kept.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// The maximum size in bytes, before it is sealed: browsers drop a cookie of more than 4 KiB, and nginx takes a
/// response with more headers than that for an error.
const MOST: usize = 2048;

/// The value of the cookie.
#[derive(Serialize, Deserialize)]
struct Draft {
    page: String,
    text: String,
    user: Option<UserId>,
    /// When it was kept, in milliseconds.
    at: i64,
}

/// Keeps what `user`, if that is known, has typed on `page`, and says so on the page that comes next. Returns `false`
/// if it is too long, or the page is none of this site.
pub(in crate::web) fn put(
    jar: &CookieJar<'_>,
    auth: &Auth,
    page: &str,
    text: String,
    user: Option<UserId>,
) -> bool {
    let draft = Draft { page: page.to_owned(), text, user, at: auth.now().as_millis() };
    let sealed = to_string(&draft).ok().filter(|sealed| sealed.len() <= MOST);
    let Some(sealed) = sealed.filter(|_| Next::parse(page).is_some()) else { return false };
    let mut cookie = cookie(auth.config(), Cookies::Draft, sealed);
    cookie.set_max_age(rocket::time::Duration::try_from(KEPT_FOR).ok());
    jar.add_private(cookie);
    Notice::DraftKept.put(jar, auth);
    true
}

/// What was typed on the page of this request, once, unless somebody else has typed it.
pub(in crate::web) fn take(request: &Request<'_>, user: &User) -> Option<String> {
    let (auth, jar): (&Auth, _) = (request.rocket().state()?, request.cookies());
    let config = auth.config();
    let sealed = jar.get_private(config.cookie_name(Cookies::Draft))?;
    let draft: Draft = from_str(sealed.value()).ok()?;
    let page = clean_path(&Origin::parse(&draft.page).ok()?);
    if page != asked_path(request) || is_forged(request, Cookies::Draft, config) {
        return None;
    }
    jar.remove_private(cookie(config, Cookies::Draft, ""));
    let (at, now) = (Timestamp::from_millis(draft.at), auth.now());
    let is_fresh = at <= now + CLOCKS_DIFFER && at + KEPT_FOR > now;
    (is_fresh && draft.user.is_none_or(|owner| owner == user.id)).then_some(draft.text)
}
