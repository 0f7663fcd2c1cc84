//! The fairing that attaches the service to a Rocket.

use log::error;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::{Build, Rocket};

use super::attach;
use crate::words;

/// The pages, `/api/v1`, the database and the jobs, to `attach` to your Rocket; see [`stage`](crate::stage).
#[must_use = "attach it to your Rocket"]
#[derive(Clone, Debug, Default)]
pub struct Stage {
    base: String,
}

impl Stage {
    /// Mounts everything under this path, such as `/accounts`: pages, `/api/v1`, `/health` and static files. Only
    /// `/.well-known/change-password` stays at the root, where password managers look for it. Cookies are still
    /// sent with all requests of the site, so that the guards work on every path of yours.
    ///
    /// The path begins with a slash and ends without one; a start is refused otherwise.
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.base);
        self
    }
}

#[rocket::async_trait]
impl Fairing for Stage {
    fn info(&self) -> Info {
        Info { name: "Vestibule", kind: Kind::Ignite }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        attach(rocket, &self.base).map_err(|(rocket, refusal)| {
            error!("{}", words::start::refusal(&refusal));
            rocket
        })
    }
}
