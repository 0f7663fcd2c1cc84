//! Health checks for monitoring.

use std::net::IpAddr;

use crate::web::body::Json;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, State, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{Auth, Health};
use crate::config::is_loopback_host;
use crate::web::guards::client::{came_by_proxy, client_of, is_private};
use crate::words;

/// Whether the process answers
///
/// Does not check the database, since a restart would not help.
#[utoipa::path(
    get,
    path = "/live",
    operation_id = "is_live",
    tag = "Service",
    responses((status = 200, body = String, content_type = "text/plain", description = "It answers"))
)]
#[get("/live")]
pub(in crate::web) fn live() -> &'static str {
    "ok\n"
}

/// The public result; durations in seconds, `null` if unknown.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Signals {
    /// `ok`, or what is wrong.
    status: &'static str,
    #[serde(flatten)]
    #[schema(value_type = Details)]
    details: Option<Details>,
}

/// For internal clients only: a stranger could request a link and learn from the number of waiting messages whether
/// there is an account.
#[derive(Serialize, ToSchema)]
struct Details {
    messages_waiting: Option<i64>,
    oldest_message_seconds: Option<u64>,
    last_sweep_seconds: Option<u64>,
    delivery_moved_seconds: Option<u64>,
    #[schema(required = false)]
    connections_in_use: usize,
    #[schema(required = false)]
    connections: u32,
}

/// Whether the client is on this machine or a private network, and not behind a proxy.
pub(in crate::web) struct IsInside(bool);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for IsInside {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let is_near = request.remote().is_none_or(|peer| is_private(peer.ip().to_canonical()));
        let auth = request.rocket().state::<Auth>();
        let said = auth.is_some_and(|auth| {
            request.headers().contains(auth.config().client_ip_header.as_str())
        });
        // A request to a host name may come through a proxy. Local test clients send no `Host`.
        let mut hosts = request.headers().get("Host");
        let is_by_address = hosts.all(|host| {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            is_loopback_host(name) || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
        });
        let has_host = request.remote().is_none() || request.headers().contains("Host");
        let is_direct = has_host && is_by_address && !said && !came_by_proxy(request);
        // A proxy need not say that it is one: nginx adds no header by itself.
        let (client, _) = client_of(request);
        Outcome::Success(Self(is_near && is_direct && !client.is_shared))
    }
}

/// Whether the service can work
///
/// The database is writable, and the node is not shutting down. Internal clients get some figures too.
#[utoipa::path(
    get,
    path = "/ready",
    operation_id = "is_ready",
    tag = "Service",
    responses(
        (status = 200, body = Signals, description = "It can"),
        (status = 503, body = Signals, description = "It cannot")
    )
)]
#[get("/ready")]
pub(in crate::web) async fn ready(
    is_inside: IsInside,
    auth: &State<Auth>,
) -> (Status, Json<Signals>) {
    let health: Health = auth.health().await;
    let (code, status) = match health {
        Health { can_write: false, .. } => (Status::ServiceUnavailable, words::api::READ_ONLY),
        Health { is_leaving: true, .. } => (Status::ServiceUnavailable, words::api::STOPPING),
        _ => (Status::Ok, words::api::READY),
    };
    let details = is_inside.0.then(|| Details {
        messages_waiting: health.messages_waiting,
        oldest_message_seconds: health.oldest_message.map(|age| age.as_secs()),
        last_sweep_seconds: health.last_sweep.map(|age| age.as_secs()),
        delivery_moved_seconds: health.delivery_moved.map(|age| age.as_secs()),
        connections_in_use: health.connections_in_use,
        connections: health.connections,
    });
    (code, Json(Signals { status, details }))
}
