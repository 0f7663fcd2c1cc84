//! Whether a request was made to a loopback host name.

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use crate::config::is_loopback_host;
use crate::web::guards::client::came_by_proxy;

/// The host that the browser believes it talks to, from the `Host` header. Another name may resolve to this machine
/// (DNS rebinding), and a local proxy may set its own name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum HostPlace {
    /// A loopback name, or none.
    Loopback,
    Elsewhere,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for HostPlace {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let mut hosts = request.headers().get("Host");
        let is_loopback = |host: &str| {
            let name = match host.rsplit_once(':') {
                Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
                _ => host,
            };
            is_loopback_host(name)
        };
        let is_here = hosts.all(is_loopback) && !came_by_proxy(request);
        Outcome::Success(if is_here { Self::Loopback } else { Self::Elsewhere })
    }
}
