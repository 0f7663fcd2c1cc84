//! After a link has made an account.

use rocket::http::CookieJar;

use crate::auth::{Auth, Client, Joined, OpenedLink, Purpose};
use crate::web::flash::Notice;
use crate::web::guards::Page;
use crate::web::next::Next;
use crate::web::pages::{Answer, dead_link};
use crate::web::session;
use crate::web::typed_email::TypedEmail;

/// Signs in and leads on to the page that the person came for.
pub(super) fn go_on(
    account: Joined,
    page: &Page<'_>,
    client: &Client,
    jar: &CookieJar<'_>,
    auth: &Auth,
) -> Answer {
    if let Some(new) = account.session {
        session::write(jar, auth.config(), new, client);
        TypedEmail::forget(jar, auth.config());
    }
    Notice::AccountCreated.put(jar, auth);
    Answer::go(page, account.next.as_deref().and_then(Next::parse).as_ref())
}

/// A link that makes no account any more; in the browser that has just used it, it leads on.
pub(super) fn show_used(link: Option<&OpenedLink>, page: &Page<'_>, purpose: Purpose) -> Answer {
    let used_by = link.and_then(|link| link.used_by);
    if page.user().is_some_and(|user| used_by == Some(user.id)) {
        return Answer::go(page, None);
    }
    dead_link::show(page, purpose)
}
