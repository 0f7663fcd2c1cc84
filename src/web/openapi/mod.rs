//! The document of the API for programs (OpenAPI 3.1), from the annotations of the handlers and the structs that are
//! read and sent. What all routes have in common is added here, so that an annotation says only what is special.

pub(in crate::web) mod schemas;

use rocket::http::{ContentType, Header};
use rocket::{Responder, State, get};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{
    Components, Content, Deprecated, HeaderBuilder, Info, InfoBuilder, OpenApi, Paths, Ref, RefOr,
    Response, ResponseBuilder, Server, Type, tag::TagBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::config::{Config, Cookies};
use crate::web::paths::ErrorStyle;
use crate::web::problems::{Kind, Problem};

/// The name of the security scheme.
const SESSION: &str = "session";
const PROBLEM: &str = "application/problem+json";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The groups of routes, in the order of the documentation.
const TAGS: [(&str, &str); 7] = [
    ("Accounts", "Signing up, the profile, and deleting the account."),
    ("Session", "Signing in and out, and the devices that are signed in."),
    ("Password", "Changing the password, and setting one by a mailed link."),
    ("Email address", "Verifying the address, and changing it."),
    ("Mailed links", "What the links in emails do. The token is the last part of a link's path."),
    ("Service", "For monitoring, and this document."),
    (
        "Older clients",
        "The same actions under the names that clients of the course project use. Refusals are `{\"message\": …}`.",
    ),
];

/// What every route may answer, by status; see [`common`].
const COMMON: [(u16, &str); 9] = [
    (400, "The request cannot be read, or a field is missing or not valid."),
    (401, "There is no session, or it has ended."),
    (403, "A page of another website sent the request."),
    (413, "The body is larger than 32 KiB."),
    (415, "The body is neither a form nor JSON."),
    (429, "Too many attempts."),
    (431, "The headers are too large."),
    (500, "The service has failed."),
    (503, "The service cannot do this right now."),
];

/// The refusal that older clients get.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::web) struct Message {
    /// Why.
    message: String,
}

/// The document as it is sent.
pub(in crate::web) struct Document(String);

#[derive(Responder)]
pub(in crate::web) struct Sent<'r> {
    text: &'r str,
    kind: ContentType,
    cache: Header<'static>,
}

/// This document
///
/// The API as OpenAPI 3.1, for generators of clients and for tests.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "get_document",
    tag = "Service",
    responses((status = 200, body = Object, description = "The document"))
)]
#[get("/openapi.json")]
pub(in crate::web) fn document(document: &State<Document>) -> Sent<'_> {
    Sent {
        text: &document.inner().0,
        kind: ContentType::JSON,
        cache: Header::new("Cache-Control", "no-cache"),
    }
}

impl Document {
    /// The document of these routes: each part with the path it is mounted at, and the form of its errors.
    pub(in crate::web) fn of<'p>(
        parts: impl Iterator<Item = (&'p str, ErrorStyle, OpenApi)>,
        config: &Config,
    ) -> Self {
        let mut whole = OpenApi::new(info(), Paths::new());
        for (base, errors, mut part) in parts {
            for item in part.paths.paths.values_mut() {
                for (is_change, operation) in operations(item) {
                    complete(operation, is_change, errors);
                }
            }
            whole = match base {
                "/" => whole.merge_from(part),
                base => whole.nest(base, part),
            };
        }
        let components = whole.components.get_or_insert_default();
        describe_common(components, config);
        let is_used = |tag: &&(&str, &str)| {
            let items = whole.paths.paths.values_mut();
            let mut tags = items.flat_map(operations).filter_map(|(_, op)| op.tags.as_ref());
            tags.any(|tags| tags.iter().any(|name| name == tag.0))
        };
        let tags = TAGS.iter().filter(is_used);
        let tags = tags.map(|(name, text)| TagBuilder::new().name(*name).description(Some(*text)));
        whole.tags = Some(tags.map(TagBuilder::build).collect());
        let base = config.urls.base();
        whole.servers = Some(vec![Server::new(if base.is_empty() { "/" } else { base })]);
        Self(whole.to_json().expect("a document of strings and numbers is JSON"))
    }
}

fn info() -> Info {
    let introduction =
        include_str!("introduction.md").replace("{problems}", Kind::table().trim_end());
    InfoBuilder::new()
        .title("Vestibule")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(introduction))
        .build()
}

/// The operations of a path, and whether each changes something.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    let changing =
        [post, put, patch, delete].into_iter().flatten().map(|operation| (true, operation));
    get.iter_mut().map(|operation| (false, operation)).chain(changing)
}

/// Adds the second form of the body, and the responses that no annotation needs to name.
fn complete(operation: &mut Operation, is_change: bool, errors: ErrorStyle) {
    if matches!(errors, ErrorStyle::Message | ErrorStyle::PageOrMessage) {
        operation.deprecated = Some(Deprecated::True);
    }
    let has_body = operation.request_body.is_some();
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        let fields = body.content.get(JSON).cloned();
        body.content.extend(fields.map(|fields| (FORM.to_owned(), fields)));
    }
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response
            && response.content.is_empty()
            && status.starts_with(['4', '5'])
        {
            let description = std::mem::take(&mut response.description);
            *response = refusal(errors, status, description);
        }
    }
    for (status, _) in COMMON {
        let may_come = match status {
            400 | 413 | 415 => has_body,
            401 => operation.security.is_some() && errors == ErrorStyle::Problem,
            403 => is_change,
            _ => true,
        };
        if may_come && errors != ErrorStyle::Page {
            let name = common(errors, status);
            let named = || RefOr::Ref(Ref::from_response_name(name));
            responses.entry(status.to_string()).or_insert_with(named);
        }
    }
}

/// The name of a response that many routes have.
fn common(errors: ErrorStyle, status: u16) -> String {
    let form = if errors == ErrorStyle::Problem { "Problem" } else { "Message" };
    format!("{form}{status}")
}

/// A refusal in the form of its area.
fn refusal(errors: ErrorStyle, status: &str, description: impl Into<String>) -> Response {
    let (media, schema) = match errors {
        ErrorStyle::Problem => (PROBLEM, Ref::from_schema_name(Problem::name())),
        _ => (JSON, Ref::from_schema_name(Message::name())),
    };
    let response = ResponseBuilder::new().description(description);
    let response = response.content(media, Content::new(Some(schema)));
    if !matches!(status, "429" | "503") {
        return response.build();
    }
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build();
    let header = HeaderBuilder::new().schema(Some(Schema::from(seconds)));
    let header = header.description(Some("How many seconds to wait")).build();
    response.header("Retry-After", header).build()
}

/// Adds what many routes share.
fn describe_common(components: &mut Components, config: &Config) {
    for errors in [ErrorStyle::Problem, ErrorStyle::Message] {
        for (status, text) in COMMON {
            let response = refusal(errors, &status.to_string(), text);
            components.responses.insert(common(errors, status), RefOr::T(response));
        }
    }
    let mut schemas =
        vec![(Problem::name(), Problem::schema()), (Message::name(), Message::schema())]
            .into_iter()
            .map(|(name, schema)| (name.into_owned(), schema))
            .collect();
    Problem::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let cookie = config.cookie_name(Cookies::Session);
    let text = "The cookie of the session. `POST /api/v1/session` sets it.";
    let scheme =
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(cookie, text)));
    components.security_schemes.insert(SESSION.to_owned(), RefOr::T(scheme));
    schemas::tell_shortest_password(components, config.password.fewest_characters());
}
