//! What a host app answers where its route asks for a signed-in user.

use std::fmt::{self, Debug, Display};

use rocket::Request;
use rocket::http::{Method, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Redirect, Responder};

use super::{CurrentSession, asks_again};
use crate::auth::{Auth, Session};
use crate::web::accept::Wants;
use crate::web::draft;
use crate::web::errors::{self, Caught};
use crate::web::next::Next;
use crate::web::paths::urls_of;
use crate::web::session;
use crate::{UserId, urls};

/// Why a guard refuses a request, and the answer: the error of [`User`](crate::User),
/// [`RecentLogin`](crate::RecentLogin) and [`Admin`](crate::Admin), and what [`sign_in_first`] returns.
///
/// It leads people to the sign-in page, or to the one that asks for the password again, and from there back to the
/// page that they asked for, with its query. Programs get problem+json. Somebody for whom signing in would change
/// nothing gets 403.
///
/// A form that was sent gets a page that says so, since nothing knows what was typed, unless its route
/// [keeps a draft](Self::keep_draft).
pub struct SignInFirst {
    why: Why,
    /// Who sent it, as far as that is known.
    user: Option<UserId>,
    /// The page of the form, and what was typed.
    draft: Option<(String, String)>,
    /// The page to come back to, if nothing was typed.
    back_to: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    SignedOut,
    /// The sign-in is not recent.
    TooOld,
    /// Signing in would not help.
    Refused(Status),
}

impl SignInFirst {
    /// For somebody who is signed in, but not recently, or for nobody.
    pub(super) async fn new(request: &Request<'_>, session: Option<&Session>) -> Self {
        let why = if session.is_some() { Why::TooOld } else { Why::SignedOut };
        let user = match session {
            Some(session) => Some(session.user.id),
            None if is_page_view(request) => None,
            None => match request.rocket().state() {
                Some(auth) => session::last_user(request.cookies(), auth).await,
                None => None,
            },
        };
        Self { why, user, draft: None, back_to: None }
    }

    pub(super) fn refused(status: Status) -> Self {
        Self { why: Why::Refused(status), user: None, draft: None, back_to: None }
    }

    /// As the outcome of a guard.
    pub(super) fn outcome<T>(self) -> Outcome<T, Self> {
        Outcome::Error((self.status(), self))
    }

    /// 401, or what the guard refuses with: 403, or 503 while the database is away.
    pub fn status(&self) -> Status {
        match self.why {
            Why::SignedOut | Why::TooOld => Status::Unauthorized,
            Why::Refused(status) => status,
        }
    }

    /// Keeps what was typed into a form, for ten minutes, until the guard [`Draft`](crate::Draft) of the form's page
    /// gives it back after the sign-in. `page` is that page's path, perhaps with a query; `text` is up to you, at most
    /// about 1,500 bytes: the text of a field, or several as JSON. Never a password.
    ///
    /// It is a sealed cookie of this browser. If it is known who sent the form, nobody else gets it. What is too long
    /// is not kept, and neither is what a `page` outside this site would get: then the sender gets a page that says so.
    /// For longer texts keep them yourself, and lead [back](Self::back_to).
    ///
    /// The form is not sent again by itself: after the sign-in its page comes back, and people press the button once more.
    ///
    /// ```
    /// use rocket::form::Form;
    /// use rocket::response::Redirect;
    /// use rocket::{FromForm, get, post};
    /// use vestibule::{Draft, SignInFirst, User};
    ///
    /// #[derive(FromForm)]
    /// struct Note {
    ///     text: String,
    /// }
    ///
    /// #[get("/note")]
    /// fn form(user: User, draft: Draft) -> String {
    ///     format!("{} writes: {}", user.display_name(), draft.0.unwrap_or_default())
    /// }
    ///
    /// #[post("/note", data = "<note>")]
    /// fn save(user: Result<User, SignInFirst>, note: Form<Note>) -> Result<Redirect, SignInFirst> {
    ///     let user = user.map_err(|first| first.keep_draft("/note", &note.text))?;
    ///     // … save it for the user
    ///     # let _ = user;
    ///     Ok(Redirect::to("/note"))
    /// }
    /// ```
    #[must_use]
    pub fn keep_draft(self, page: impl Display, text: impl Into<String>) -> Self {
        Self { draft: Some((page.to_string(), text.into())), ..self }
    }

    /// Leads back to this page after the sign-in: for a form without anything typed, such as a button. `page` is a path
    /// of this site, perhaps with a query; another one is ignored.
    ///
    /// ```
    /// use rocket::response::Redirect;
    /// use rocket::{get, post};
    /// use vestibule::{RecentLogin, SignInFirst};
    ///
    /// // The page with the button asks for the password already, so that the button works.
    /// #[get("/notes/delete-all")]
    /// fn ask(recent: RecentLogin) -> String {
    ///     format!("Delete all notes of {}?", recent.user.display_name())
    /// }
    ///
    /// #[post("/notes/delete-all")]
    /// fn delete_all(recent: Result<RecentLogin, SignInFirst>) -> Result<Redirect, SignInFirst> {
    ///     let recent = recent.map_err(|first| first.back_to("/notes/delete-all"))?;
    ///     // … delete them
    ///     # let _ = recent;
    ///     Ok(Redirect::to("/notes"))
    /// }
    /// ```
    #[must_use]
    pub fn back_to(self, page: impl Display) -> Self {
        Self { back_to: Some(page.to_string()), ..self }
    }

    /// Keeps the draft, if there is one that can be kept; returns its page.
    fn put_draft(&mut self, request: &Request<'_>) -> Option<String> {
        let (page, text) = self.draft.take()?;
        let auth: &Auth = request.rocket().state()?;
        draft::put(request.cookies(), auth, &page, text, self.user).then_some(page)
    }
}

/// Says nothing of the draft.
impl Debug for SignInFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignInFirst").field(&self.why).finish()
    }
}

impl std::error::Error for SignInFirst {}

/// For a catcher of 401: what [`SignInFirst`] says.
///
/// ```
/// use rocket::{Request, catch};
/// use vestibule::{SignInFirst, sign_in_first};
///
/// #[catch(401)]
/// async fn unauthorized(request: &Request<'_>) -> SignInFirst {
///     sign_in_first(request).await
/// }
/// ```
pub async fn sign_in_first(request: &Request<'_>) -> SignInFirst {
    let session = CurrentSession::from_request(request).await.succeeded();
    let session = session.and_then(|CurrentSession(session)| session);
    if session.is_some() && !asks_again(request) {
        return SignInFirst::refused(Status::Forbidden);
    }
    SignInFirst::new(request, session).await
}

fn is_page_view(request: &Request<'_>) -> bool {
    matches!(request.method(), Method::Get | Method::Head)
}

impl<'r> Responder<'r, 'static> for SignInFirst {
    fn respond_to(mut self, request: &'r Request<'_>) -> response::Result<'static> {
        let is_json = Wants::of(request) == Wants::Json;
        let page = match self.why {
            Why::Refused(status) if is_json => return errors::problem(request, status),
            Why::Refused(status) => return Caught(status).respond_to(request),
            _ if is_json => return errors::problem(request, Status::Unauthorized),
            Why::SignedOut => urls::SIGN_IN,
            Why::TooOld => urls::RECENT_LOGIN,
        };
        let urls = urls_of(request);
        let go = |next: &str| Redirect::to(urls.and_then(page, next)).respond_to(request);
        if is_page_view(request) {
            let asked = request.uri().to_string();
            return go(Next::parse(&asked).map_or("", |_| &asked));
        }
        let of_form = self.draft.as_ref().map(|(page, _)| page.clone());
        if let Some(page) = self.put_draft(request) {
            return go(&page);
        }
        if let Some(page) = self.back_to.filter(|page| Next::parse(page).is_some()) {
            return go(&page);
        }
        let of_form = of_form.as_deref().and_then(Next::parse);
        let before = of_form.or_else(|| Next::page_before(request));
        let next = before.as_ref().map_or("", Next::as_str);
        errors::form_lost(request, self.why == Why::TooOld, &urls.and_then(page, next))
    }
}
