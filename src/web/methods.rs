//! What a path answers to a method that it has no route for.

use rocket::Request;
use rocket::http::{Header, Method, Status};
use rocket::response::{self, Responder, Response};

use crate::web::errors::Caught;
use crate::web::paths::{clean_path, fits};

/// The answer to a method without a route: the methods that have one (RFC 9110, 9.3.7 and 15.5.6).
pub(in crate::web) struct Allowed(String);

impl Allowed {
    /// `None` if a route was tried, or the path has none for any method.
    pub(in crate::web) fn at(request: &Request<'_>) -> Option<Self> {
        if request.route().is_some() {
            return None;
        }
        let path = clean_path(request.uri());
        let routes = request.rocket().routes().filter(|route| fits(&path, route.uri.path()));
        let mut methods: Vec<&str> = routes
            .flat_map(|route| match route.method {
                // Rocket answers HEAD with the route for GET.
                Method::Get => vec!["GET", "HEAD"],
                method => vec![method.as_str()],
            })
            .collect();
        if methods.is_empty() {
            return None;
        }
        methods.push("OPTIONS");
        methods.sort_unstable();
        methods.dedup();
        Some(Self(methods.join(", ")))
    }
}

impl<'r> Responder<'r, 'static> for Allowed {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = if request.method() == Method::Options {
            Response::build().status(Status::NoContent).finalize()
        } else {
            Caught(Status::MethodNotAllowed).respond_to(request)?
        };
        response.set_header(Header::new("Allow", self.0));
        Ok(response)
    }
}
