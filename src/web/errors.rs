//! Errors in a form that the client can read: a page, problem+json (RFC 9457) under `/api/`, or `{"message": …}` on
//! the routes of older clients.

use std::sync::OnceLock;

use askama::Template;
use log::error;
use rocket::Request;
use rocket::http::{ContentType, Header, Method, Status};
use rocket::response::{self, Responder, Response};
use rocket::serde::json::{json, to_string};

use crate::auth::Wait;
use crate::error::{Error, error_chain};
use crate::web::accept::Wants;
use crate::web::fairings::headers;
use crate::web::frame::Frame;
use crate::web::layout::{self, parts};
use crate::web::next::Next;
use crate::web::paths::{ErrorStyle, error_style};
use crate::web::problems::{Kind, Problem};
use crate::words::{self, Text};

/// A refusal with its reason.
pub(in crate::web) struct Refusal {
    kind: Kind,
    status: Status,
    message: String,
    fields: Vec<(String, String)>,
    wait: Option<Wait>,
}

impl Refusal {
    /// A refusal with a sentence for users.
    pub(in crate::web) fn new(status: Status, message: impl Into<String>) -> Self {
        let kind = Kind::of_status(status);
        Self { kind, status, message: message.into(), fields: Vec::new(), wait: None }
    }

    /// Says more exactly what it is than the status does.
    pub(in crate::web) fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// A refusal with the general sentence for its status.
    pub(in crate::web) fn of_status(status: Status) -> Self {
        Self::new(status, words::errors::explanation(status.code))
    }

    /// Changes the status.
    pub(in crate::web) fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// A refusal for a limited time.
    pub(in crate::web) fn wait(wait: Wait) -> Self {
        let refusal = Self::new(status(wait), words::refusals::wait(wait));
        Self { kind: wait.into(), wait: Some(wait), ..refusal }
    }

    /// A refusal of the input; `fields` are pairs of a field's name and a message.
    pub(in crate::web) fn fields(fields: Vec<(String, String)>) -> Self {
        let message = fields.iter().map(|(name, text)| format!("{name}: {text}"));
        let message = message.collect::<Vec<_>>().join(" ");
        Self { kind: Kind::InvalidFields, status: Status::BadRequest, message, fields, wait: None }
    }
}

/// The status of a temporary refusal.
pub(in crate::web) fn status(wait: Wait) -> Status {
    match wait {
        Wait::TooManyAttempts(_) | Wait::SignUps(_) | Wait::Messages(_) => Status::TooManyRequests,
        Wait::Busy(_) | Wait::Outbox(_) => Status::ServiceUnavailable,
    }
}

/// The `Retry-After` header.
pub(in crate::web) fn retry_after(wait: Wait) -> Header<'static> {
    Header::new("Retry-After", wait.seconds().to_string())
}

impl<'r> Responder<'r, 'static> for Refusal {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let Self { kind, status, message, fields, wait } = self;
        let mut response = answer(request, kind, status, &message, &fields)?;
        if let Some(wait) = wait {
            response.set_header(retry_after(wait));
        }
        Ok(response)
    }
}

/// Errors of the service are logged here and nowhere else.
impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Caught(record(request, &self)).respond_to(request)
    }
}

/// The logged error of this request.
#[derive(Default)]
struct Fault(OnceLock<(String, Option<u64>)>);

/// Logs an error with a reference that the response shows; returns the status.
pub(in crate::web) fn record(request: &Request<'_>, fault: &Error) -> Status {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    let reference = format!("{:08x}", u32::from_be_bytes(bytes));
    // The route, not the path: a path may contain a secret.
    let route = request.route().map_or_else(String::new, |route| route.uri.to_string());
    // Too much load is logged once a minute, where it was noticed.
    if fault.busy_for().is_none() {
        error!("reference={reference} {} {route}: {}", request.method(), error_chain(fault));
    }
    let retry_after = fault.retry_after().map(|wait| wait.as_secs().max(1));
    let _ = request.local_cache(Fault::default).0.set((reference, retry_after));
    if retry_after.is_some() { Status::ServiceUnavailable } else { Status::InternalServerError }
}

/// A response with only a status.
pub(in crate::web) struct Caught(pub(in crate::web) Status);

impl<'r> Responder<'r, 'static> for Caught {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let Self(status) = self;
        let (kind, message) = (Kind::of_status(status), words::errors::explanation(status.code));
        let mut response = answer(request, kind, status, message, &[])?;
        // Rocket runs no response fairing for requests that it could not parse.
        if status == Status::BadRequest {
            headers::set(request, &mut response);
        }
        Ok(response)
    }
}

/// The three forms of an error.
#[derive(PartialEq, Eq)]
enum Style {
    Page,
    Problem,
    Message,
}

fn style(request: &Request<'_>) -> Style {
    let wants_json = Wants::of(request) == Wants::Json;
    match error_style(request) {
        Some(ErrorStyle::Problem) => Style::Problem,
        Some(ErrorStyle::Message) => Style::Message,
        Some(ErrorStyle::PageOrMessage) if wants_json => Style::Message,
        // A path of the host app's.
        None if wants_json => Style::Problem,
        _ if wants_json && request.route().is_none() => Style::Problem,
        Some(ErrorStyle::Page | ErrorStyle::PageOrMessage) | None => Style::Page,
    }
}

#[derive(Template)]
#[template(path = "error.html", blocks = ["title", "main"])]
struct ErrorPage<'a> {
    frame: Frame<'a>,
    title: &'a str,
    message: &'a str,
    reference: Option<&'a str>,
    /// What to do now, other than to go to the front page: a URL and the text of the link.
    then: Option<(&'a str, Text)>,
    /// Whether loading the page again may help.
    may_retry: bool,
    /// The URL of the page before.
    back: Option<String>,
}

parts!(ErrorPage);

/// Whether an error of this request is a page.
pub(in crate::web) fn is_page(request: &Request<'_>) -> bool {
    style(request) == Style::Page
}

/// For a form that was sent without being signed in, or without a recent sign-in: what was typed is lost. `first` is
/// the URL of the page that comes first.
pub(in crate::web) fn form_lost(
    request: &Request<'_>,
    is_signed_in: bool,
    first: &str,
) -> response::Result<'static> {
    let (title, message, button) = if is_signed_in {
        (
            words::pages::recent_login::TITLE.0,
            words::errors::LOGIN_TOO_OLD,
            words::pages::recent_login::GO_ON,
        )
    } else {
        (
            words::refusals::SIGNED_OUT_TITLE,
            words::errors::SIGNED_OUT,
            words::pages::layout::SIGN_IN,
        )
    };
    let page = ErrorPage {
        frame: Frame::of(request),
        title,
        message,
        reference: None,
        then: Some((first, button)),
        may_retry: false,
        back: None,
    };
    page_response(Status::Unauthorized, &page).ok()
}

/// For a program.
pub(in crate::web) fn problem(request: &Request<'_>, status: Status) -> response::Result<'static> {
    let (kind, message) = (Kind::of_status(status), words::errors::explanation(status.code));
    answer_as(Style::Problem, request, kind, status, message, &[])
}

fn page_response<'r>(status: Status, page: &ErrorPage<'_>) -> response::Builder<'r> {
    let body = layout::draw(page).unwrap_or_else(|_| page.message.to_owned());
    let mut response = Response::build();
    response.status(status).header(ContentType::HTML);
    response.sized_body(body.len(), std::io::Cursor::new(body));
    response
}

fn answer(
    request: &Request<'_>,
    kind: Kind,
    status: Status,
    message: &str,
    fields: &[(String, String)],
) -> response::Result<'static> {
    answer_as(style(request), request, kind, status, message, fields)
}

fn answer_as(
    style: Style,
    request: &Request<'_>,
    kind: Kind,
    status: Status,
    message: &str,
    fields: &[(String, String)],
) -> response::Result<'static> {
    let fault = request.local_cache(Fault::default).0.get();
    let reference = fault.map(|(reference, _)| reference.as_str());
    let title = words::errors::title(status.code);
    let json = |media: ContentType, body: String| {
        let mut response = Response::build();
        response.status(status).header(media).sized_body(body.len(), std::io::Cursor::new(body));
        response
    };
    let mut response = match style {
        Style::Page => {
            let page = ErrorPage {
                frame: Frame::of(request),
                title,
                message,
                reference,
                then: None,
                may_retry: request.method() == Method::Get
                    && matches!(status.code, 408 | 429 | 500..),
                back: Next::page_before(request).map(|page| page.as_str().to_owned()),
            };
            page_response(status, &page)
        }
        Style::Message => json(ContentType::JSON, json!({ "message": message }).to_string()),
        Style::Problem => {
            let problem = Problem::new(kind, status, message, fields, reference);
            let body = to_string(&problem).map_err(|_| Status::InternalServerError)?;
            json(ContentType::new("application", "problem+json"), body)
        }
    };
    if let Some((_, Some(seconds))) = fault {
        response.header(Header::new("Retry-After", seconds.to_string()));
    }
    response.ok()
}
