//! The guards for who is signed in.

use log::error;
use rocket::http::Status;
use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Sentinel};

use crate::auth::Auth;
use crate::web::fairings::origin;
use crate::web::guards::{CurrentSession, Draft, Menu, SignInFirst};
use crate::web::session;
use crate::{Accounts, User, words};

/// Whoever asks: the signed-in user, or `None`. If the database is down, the request is answered with 503 and not as
/// if nobody were signed in.
#[derive(Clone, Debug)]
pub struct Visitor(pub Option<User>);

/// The signed-in user, who has given the password within the last ten minutes: for security-critical
/// actions, since somebody else may use a browser that was left open (ASVS 7.5.1). 401 otherwise, which
/// [`sign_in_first`](crate::sign_in_first) answers with the page that asks for the password again; 403 as for
/// [`User`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecentLogin {
    /// The user.
    pub user: User,
}

/// The signed-in user, if an administrator; 401 if nobody is signed in, 403 if somebody else is, and as for
/// [`User`]. See [`Accounts::set_admin`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Admin {
    /// The administrator.
    pub user: User,
}

/// Refuses a request that another website makes a browser send, with 403, on routes that change something without a
/// signed-in user. [`User`] does the same.
#[derive(Clone, Copy, Debug)]
pub struct SameOrigin(());

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let session = CurrentSession::from_request(request).await;
        session.map(|CurrentSession(session)| Self(session.map(|session| session.user.clone())))
    }
}

/// The signed-in user; 401 if there is none. 403 if another website made the browser send a request that may change
/// something: a host's routes deserve the same protection as ours.
#[rocket::async_trait]
impl<'r> FromRequest<'r> for User {
    type Error = SignInFirst;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, SignInFirst> {
        let config = request.rocket().state::<Auth>().map(Auth::config);
        let lets_in = config.is_some_and(|config| config.allow_cross_site);
        if !lets_in && origin::refuses(request) {
            return SignInFirst::refused(Status::Forbidden).outcome();
        }
        match CurrentSession::from_request(request).await {
            Outcome::Success(CurrentSession(Some(session))) => {
                Outcome::Success(session.user.clone())
            }
            Outcome::Success(CurrentSession(None)) => {
                SignInFirst::new(request, None).await.outcome()
            }
            Outcome::Error((status, ())) | Outcome::Forward(status) => {
                SignInFirst::refused(status).outcome()
            }
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for RecentLogin {
    type Error = SignInFirst;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, SignInFirst> {
        let user = try_outcome!(User::from_request(request).await);
        let (auth, session) = (request.rocket().state::<Auth>(), session::found(request));
        let is_recent = auth.zip(session).is_some_and(|(auth, session)| auth.is_recent(session));
        if is_recent {
            return Outcome::Success(Self { user });
        }
        request.local_cache(|| AsksAgain(true));
        SignInFirst::new(request, session).await.outcome()
    }
}

/// Whether a route of this request asks a signed-in user for the password again.
struct AsksAgain(bool);

/// Whether a route of this request asks a signed-in user for the password again.
pub(super) fn asks_again(request: &Request<'_>) -> bool {
    request.local_cache(|| AsksAgain(false)).0
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Admin {
    type Error = SignInFirst;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, SignInFirst> {
        let user = try_outcome!(User::from_request(request).await);
        if user.is_admin {
            Outcome::Success(Self { user })
        } else {
            SignInFirst::refused(Status::Forbidden).outcome()
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SameOrigin {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        if origin::refuses(request) {
            Outcome::Error((Status::Forbidden, ()))
        } else {
            Outcome::Success(Self(()))
        }
    }
}

/// A forgotten `attach` stops the launch: otherwise nobody would ever be signed in.
macro_rules! needs_stage {
    ($($Guard:ty),*) => {
        $(impl Sentinel for $Guard {
            fn abort(rocket: &Rocket<Ignite>) -> bool {
                let is_missing = rocket.state::<Auth>().is_none();
                if is_missing {
                    error!("{}", words::start::NOT_ATTACHED);
                }
                is_missing
            }
        })*
    };
}
needs_stage!(User, Visitor, RecentLogin, Admin, SameOrigin, Accounts, Draft, Menu<'_>);
