//! Runs the stories in a host app, with everything under a path: `FLOWS_AT=/accounts`. Browsers and stories see the
//! paths without it; a link that lacks it leads to `/lost`.

use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket};

/// The path, if there is one.
pub fn base() -> Option<String> {
    std::env::var("FLOWS_AT").ok().filter(|base| !base.is_empty())
}

/// The service of a story that asks for none in particular.
pub fn service(figment: Figment) -> Rocket<Build> {
    match base() {
        Some(base) => {
            let figment = figment.merge(("vestibule.session.cookie_name", "session_id"));
            rocket::custom(figment).attach(vestibule::stage().at(&base))
        }
        None => vestibule::service(figment),
    }
}

/// Translates the paths of a service that is mounted under a path.
pub struct Mount {
    base: String,
    /// The paths of its routes, without the base.
    own: Vec<String>,
}

impl Mount {
    /// `None` if the service is at the root.
    pub fn of(client: &Client) -> Option<Self> {
        let base = base()?;
        let routes = client.rocket().routes().map(|route| route.uri.path().to_owned());
        let own: Vec<String> = routes
            .filter_map(|path| Some(path.strip_prefix(&base)?.replace("/link", "")))
            .collect();
        (!own.is_empty()).then_some(Self { base, own })
    }

    /// The real path of a request.
    pub fn path(&self, path: &str) -> String {
        // Where it leads next is a path of a page too.
        if let Some((page, next)) = path.split_once("?next=") {
            return format!("{}?next={}", self.path(page), self.path(next));
        }
        let is_own = |own: &String| path.strip_prefix(own.as_str()).is_some_and(ends_segment);
        if self.own.iter().any(is_own) || path.starts_with("/api/v1") {
            format!("{}{path}", self.base)
        } else {
            path.to_owned()
        }
    }

    /// What a story sees of a page, a header or an email.
    pub fn seen(&self, text: &str) -> String {
        let mut seen = text.to_owned();
        for own in &self.own {
            for before in ["\"", "next=", "http://localhost:8000"] {
                seen = seen.replace(&format!("{before}{own}"), &format!("{before}/lost{own}"));
            }
        }
        seen.replace(&format!("{}/", self.base), "/")
    }

    /// What a story sees of the target of a redirect.
    pub fn location(&self, location: &str) -> String {
        let is_lost = |path: &str| self.path(path) != path;
        let (page, next) = location.split_once("?next=").unwrap_or((location, ""));
        if is_lost(page) || is_lost(next) {
            format!("/lost{location}")
        } else {
            self.seen(location)
        }
    }
}

fn ends_segment(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['/', '?', '#'])
}
