//! What answers errors that no handler has answered.

use rocket::catcher::{self, Catcher, Handler};
use rocket::http::{ContentType, Status};
use rocket::response::Responder;
use rocket::{Request, catch};

use crate::web::errors::{self, Caught};
use crate::web::guards::{look_up, sign_in_first};
use crate::web::methods::Allowed;
use crate::web::paths::is_ours;
use crate::words;

/// The catcher for errors on our paths that no handler answered.
#[derive(Clone)]
pub(in crate::web) struct OwnErrors;

impl OwnErrors {
    const NAME: &str = "Vestibule";

    pub(in crate::web) fn catcher() -> Catcher {
        let mut catcher = Catcher::new(None, Self);
        catcher.name = Some(Self::NAME.into());
        catcher
    }
}

#[rocket::async_trait]
impl Handler for OwnErrors {
    async fn handle<'r>(&self, status: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        // A catcher's paths include all below: those are the host's, and so is what catches their errors.
        if !is_ours(request)
            && let Some(of_host) = catcher_of_host(request, status)
        {
            return of_host.handler.handle(status, request).await;
        }
        if status == Status::NotFound
            && is_ours(request)
            && let Some(allowed) = Allowed::at(request)
        {
            return allowed.respond_to(request).map_err(|_| status);
        }
        answer(status, request).await
    }
}

/// The catcher that Rocket would choose without ours.
fn catcher_of_host<'r>(request: &'r Request<'_>, status: Status) -> Option<&'r Catcher> {
    let path = request.uri().path().as_str();
    let depth = |catcher: &Catcher| {
        let base = catcher.base.path().as_str().trim_end_matches('/');
        let rest = path.strip_prefix(base)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(base.len())
    };
    let catchers = request.rocket().catchers();
    catchers
        .filter(|catcher| catcher.name.as_deref() != Some(OwnErrors::NAME))
        .filter(|catcher| catcher.code.is_none_or(|code| code == status.code))
        .filter_map(|catcher| Some((depth(catcher)?, catcher.code, catcher)))
        .max_by_key(|(depth, code, _)| (*depth, code.is_some()))
        .map(|(_, _, catcher)| catcher)
}

/// The catcher for requests that Rocket could not parse, in an app without one. Sends the same to all clients:
/// parsing `Accept` is what can bring down Rocket's own catcher.
#[catch(400)]
pub(in crate::web) fn unreadable() -> (ContentType, &'static str) {
    (ContentType::Plain, words::errors::UNREADABLE_REQUEST)
}

/// Catchers for a host app that has none, to `register("/", …)`: [`sign_in_first`] for 401, and pages in the layout
/// of the others for everything else.
pub fn catchers() -> Vec<Catcher> {
    vec![Catcher::new(401, Catch), Catcher::new(None, Catch)]
}

#[derive(Clone)]
struct Catch;

#[rocket::async_trait]
impl Handler for Catch {
    async fn handle<'r>(&self, status: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        answer(status, request).await
    }
}

/// Answers an error that no handler has answered.
async fn answer<'r>(status: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
    if errors::is_page(request) {
        if status == Status::Unauthorized {
            return sign_in_first(request).await.respond_to(request);
        }
        // For the menu. Not where the database may be what failed; and if it fails, there is none.
        if status.code < 500 {
            let _ = look_up(request).await;
        }
    }
    Caught(status).respond_to(request)
}
