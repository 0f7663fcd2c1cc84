//! The fairing that attaches the service to a Rocket.

use std::fmt;
use std::sync::Arc;

use log::error;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::{Build, Orbit, Rocket};
use rocket_db_pools::Database;

use super::{StartError, attach, open};
use crate::auth::Db;
use crate::jobs::{Listener, Listeners};
use crate::web::{DrawLayout, HostLayout, Layout};
use crate::{AccountEvent, Accounts, EventResult, words};

/// The pages, `/api/v1`, the database and the jobs, to `attach` to your Rocket; see [`stage`](crate::stage).
#[must_use = "attach it to your Rocket"]
#[derive(Clone, Default)]
pub struct Stage {
    base: String,
    layout: Option<Arc<DrawLayout>>,
    listeners: Vec<Arc<Listener>>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("base", &self.base).finish_non_exhaustive()
    }
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

    /// Tells your code what happens to accounts, after it has happened. Each event is told at least once, in order as
    /// long as nothing fails, by one of the nodes: it is stored with the change itself, and a crash loses none. If
    /// `listener` fails, panics or takes more than 30 seconds, it is told again later, until `events.keep_for` has
    /// passed; so let it do no harm to be told twice. It is one of the jobs: a node with `jobs = false` tells nothing.
    ///
    /// The closure captures what it needs, and each call clones it into its future: an `Arc`, or a sender. A pool of your
    /// own is opened later, in a fairing that knows the URL of the database: capture an `Arc<OnceLock<SqlitePool>>` that
    /// this fairing fills. Events are told only once the app has started. The account may be gone by then: look it up
    /// before you refer to it.
    ///
    /// ```no_run
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use vestibule::AccountEvent;
    ///
    /// let welcomed = Arc::new(AtomicUsize::new(0));
    /// let counter = welcomed.clone();
    /// let stage = vestibule::stage().on(move |event, accounts| {
    ///     let counter = counter.clone();
    ///     async move {
    ///         if let AccountEvent::EmailVerified(id) = event
    ///             && let Some(user) = accounts.user(id).await?
    ///         {
    ///             println!("welcome, {}", user.display_name());
    ///             counter.fetch_add(1, Ordering::Relaxed);
    ///         }
    ///         Ok(())
    ///     }
    /// });
    /// // `welcomed` goes to your own routes.
    /// let rocket = rocket::build().attach(stage).manage(welcomed);
    /// ```
    pub fn on<F>(
        mut self,
        listener: impl Fn(AccountEvent, Accounts) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = EventResult> + Send + 'static,
    {
        self.listeners.push(Arc::new(move |event, accounts| Box::pin(listener(event, accounts))));
        self
    }

    /// Draws every page, errors too, in a layout of your own: `draw` gets the parts and returns the whole page.
    ///
    /// The pages keep the headers of the service, whose Content-Security-Policy lets in style sheets, images and
    /// scripts of this site, and no scripts in the page itself. To allow more, set that header in a fairing of yours: it
    /// is not overridden.
    ///
    /// The style sheet reaches only what is within the class `vestibule`. Its colours, fonts and sizes are custom
    /// properties, which a style sheet of yours may set: `--ground`, `--raised`, `--ink`, `--ink-soft`, `--line`, `--fill`,
    /// `--on-fill`, `--accent`, `--serif`, `--sans`, `--column`, `--round`. For an app that is always light:
    /// `.vestibule { color-scheme: light; background: none; }`
    ///
    /// Escape what is not HTML yet: a name or an address of a user in your header is what that user has typed.
    ///
    /// ```
    /// use vestibule::Layout;
    ///
    /// fn layout(page: &Layout<'_>) -> String {
    ///     let Layout { title, styles, menu, main, footer, .. } = *page;
    ///     format!(
    ///         "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    ///          <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
    ///          <title>{title} - Notes</title>{styles}<link rel=\"stylesheet\" href=\"/notes.css\"></head>\
    ///          <body><header><a href=\"/\">Notes</a> {menu}</header><main>{main}</main><footer>{footer}</footer></body></html>"
    ///     )
    /// }
    ///
    /// let stage = vestibule::stage().layout(layout);
    /// ```
    pub fn layout(mut self, draw: impl Fn(&Layout<'_>) -> String + Send + Sync + 'static) -> Self {
        self.layout = Some(Arc::new(draw));
        self
    }
}

#[rocket::async_trait]
impl Fairing for Stage {
    fn info(&self) -> Info {
        Info { name: "Vestibule", kind: Kind::Ignite | Kind::Shutdown }
    }

    /// Everything is done here, and not in fairings attached by this one: those would run after the host's, which
    /// may need the accounts.
    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let refused = |(rocket, refusal): (Rocket<Build>, StartError)| {
            error!("{}", words::start::refusal(&refusal));
            rocket
        };
        let (mut rocket, throttle_key) = attach(rocket, &self.base).map_err(refused)?;
        if let Some(layout) = &self.layout {
            rocket = rocket.manage(HostLayout(layout.clone()));
        }
        rocket = Db::init().on_ignite(rocket).await?;
        match open(&rocket, throttle_key).await {
            Ok(auth) if self.listeners.is_empty() => Ok(rocket.manage(auth)),
            Ok(auth) => {
                auth.tell_events();
                Ok(rocket.manage(auth).manage(Listeners(self.listeners.as_slice().into())))
            }
            Err(refusal) => Err(refused((rocket, refusal))),
        }
    }

    async fn on_shutdown(&self, rocket: &Rocket<Orbit>) {
        Db::init().on_shutdown(rocket).await;
    }
}
