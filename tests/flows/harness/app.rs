//! A whole service for one test.

use std::cell::OnceCell;
use std::ops::Deref;
use std::path::Path;
use std::rc::Rc;

use rocket::figment::Figment;
use rocket::http::Method;
use rocket::local::asynchronous::Client;
use rocket::tokio::runtime::{Builder, Runtime};
use tempfile::TempDir;
use vestibule::{Clock, Mailbox};

use super::browser::Browser;
use super::bystander::Bystander;
use super::database::fresh_database;
use super::described::Described;
use super::limit::TimeLimit;
use super::messages::Inbox;
use super::mount::{self, Mount};
use super::{SECRET_KEY, log};

/// The service and its environment. Derefs to a first browser.
pub struct TestApp {
    browser: Browser,
    pub clock: Clock,
    pub(super) inbox: Inbox,
    pub(super) database: String,
    pub folder: Rc<TempDir>,
    _limit: TimeLimit,
    /// `Some` in the app that created the database, `None` in those that share it.
    pub(super) bystander: Option<Bystander>,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(bystander) = &self.bystander
            && !std::thread::panicking()
        {
            bystander.is_untouched(&self.rows_of(bystander), &self.clock);
            self.every_email_has_a_cause();
        }
    }
}

impl TestApp {
    pub fn new() -> Self {
        Self::with(|figment| figment)
    }

    /// With other settings.
    pub fn with(change: impl FnOnce(Figment) -> Figment) -> Self {
        Self::start(change, mount::service)
    }

    /// With other settings, behind a proxy that reports the client IP.
    pub fn behind_a_proxy(change: impl FnOnce(Figment) -> Figment) -> Self {
        Self::with(|figment| change(figment.merge(("vestibule.trusted_proxies", "127.0.0.1"))))
    }

    /// With other settings, in another Rocket.
    pub fn start(
        change: impl FnOnce(Figment) -> Figment,
        build: impl FnOnce(Figment) -> rocket::Rocket<rocket::Build>,
    ) -> Self {
        let folder = Rc::new(TempDir::new().unwrap());
        let runtime = new_runtime();
        let database = runtime.block_on(fresh_database(folder.path()));
        let mut app = Self::open(
            folder,
            runtime,
            database,
            Clock::stopped(),
            Inbox::default(),
            change,
            build,
        );
        let bystander = Bystander::new(app.is_sqlite(), &app.clock);
        app.execute(&bystander.inserts());
        bystander.is_now(app.rows_of(&bystander));
        app.bystander = Some(bystander);
        app
    }

    /// Restarts the service: only what was on disk remains.
    pub fn restarted(self) -> Self {
        self.restarted_with(|figment| figment)
    }

    /// Restarts the service with another time.
    pub fn restarted_at(mut self, clock: Clock) -> Self {
        if let Some(bystander) = self.bystander.as_mut().filter(|_| clock.now() < self.clock.now())
        {
            bystander.saw_a_wrong_clock();
        }
        self.clock = clock;
        self.restarted()
    }

    /// Whether another node with these settings and this clock would start beside this one.
    pub fn can_start(&self, clock: Clock, change: impl FnOnce(Figment) -> Figment) -> bool {
        let figment = change(settings(self.folder.path(), &self.database));
        let rocket = vestibule::service(figment).manage(clock).manage(Mailbox::default());
        match self.block_on(Client::untracked(rocket)) {
            Ok(client) => {
                // Connections must close within the runtime that opened them.
                self.block_on(async move { drop(client) });
                true
            }
            Err(error) => {
                // Rocket panics if the error is not looked at.
                let _ = error.kind();
                false
            }
        }
    }

    /// Restarts the service with other settings.
    pub fn restarted_with(mut self, change: impl FnOnce(Figment) -> Figment) -> Self {
        let bystander = self.bystander.take();
        let (folder, database) = (self.folder.clone(), self.database.clone());
        let (clock, inbox) = (self.clock.clone(), self.inbox.clone());
        drop(self);
        let runtime = new_runtime();
        let mut app = Self::open(folder, runtime, database, clock, inbox, change, mount::service);
        app.bystander = bystander;
        app
    }

    /// Another node of the same service, on the same database.
    pub fn twin(&self) -> Self {
        let (folder, database) = (self.folder.clone(), self.database.clone());
        let runtime = self.browser.server.runtime.clone();
        Self::open(
            folder,
            runtime,
            database,
            Clock::stopped(),
            self.inbox.clone(),
            |figment| figment,
            mount::service,
        )
    }

    fn open(
        folder: Rc<TempDir>,
        runtime: Rc<Runtime>,
        database: String,
        clock: Clock,
        inbox: Inbox,
        change: impl FnOnce(Figment) -> Figment,
        build: impl FnOnce(Figment) -> rocket::Rocket<rocket::Build>,
    ) -> Self {
        log::capture();
        let figment = settings(folder.path(), &database);
        let figment = change(figment);
        let sends = ["smtp_url", "folder", "from", "timeout", "hello", "ca_file"];
        let is_in_memory =
            !sends.iter().any(|key| figment.contains(&format!("vestibule.mail.{key}")));
        let mut rocket = build(figment).manage(clock.clone());
        if is_in_memory {
            rocket = rocket.manage(inbox.sent.clone());
        }
        let client = runtime.block_on(Client::untracked(rocket)).expect("the service starts");
        let mount = Mount::of(&client);
        let described = OnceCell::new();
        let server = Rc::new(Server { runtime, client: Some(client), mount, described });
        Self {
            browser: Browser::new(server),
            clock,
            inbox,
            database,
            folder,
            _limit: TimeLimit::begin(),
            bystander: None,
        }
    }

    /// Every path that has a route.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.routes().into_iter().map(|(_, path)| path).collect();
        paths.dedup();
        paths
    }

    /// Every route.
    pub fn routes(&self) -> Vec<(Method, String)> {
        let rocket = self.browser.server.client().rocket();
        let id = "00000000-0000-0000-0000-000000000000";
        let route = |route: &rocket::Route| (route.method, route.uri.path().replace("<id>", id));
        let mut routes: Vec<_> = rocket.routes().map(route).collect();
        routes.sort_by(|(_, a), (_, b)| a.cmp(b));
        routes
    }

    /// Another browser at this client IP, for a service behind a proxy.
    pub fn browser_at(&self, ip: &str) -> Browser {
        self.other_browser().at(ip)
    }

    /// A browser of another person.
    pub fn other_browser(&self) -> Browser {
        Browser::new(self.browser.server.clone())
    }

    /// Runs the background jobs once.
    pub fn run_jobs(&self) {
        self.try_run_jobs().unwrap();
    }

    pub(super) fn try_run_jobs(&self) -> Result<(), vestibule::Error> {
        self.block_on(self.jobs())
    }

    /// The background jobs, once.
    pub async fn jobs(&self) -> Result<(), vestibule::Error> {
        vestibule::run_jobs(self.browser.server.client().rocket()).await
    }

    /// Runs the jobs on this node and on `twin` at once.
    pub fn run_jobs_with(&self, twin: &Self) {
        let (here, there) = (&self.browser.server, &twin.browser.server);
        let both = rocket::futures::future::join(
            vestibule::run_jobs(here.client().rocket()),
            vestibule::run_jobs(there.client().rocket()),
        );
        let (one, other) = here.runtime.block_on(both);
        one.and(other).unwrap();
    }

    /// What a host app's code has of the accounts.
    pub fn accounts(&self) -> vestibule::Accounts {
        vestibule::Accounts::of(self.browser.server.client().rocket()).expect("it is attached")
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.browser.server.runtime.block_on(future)
    }
}

impl Deref for TestApp {
    type Target = Browser;
    fn deref(&self) -> &Browser {
        &self.browser
    }
}

/// The running service; shared by all browsers of a test.
pub struct Server {
    pub runtime: Rc<Runtime>,
    client: Option<Client>,
    /// `None` at the root.
    pub(super) mount: Option<Mount>,
    described: OnceCell<Option<Described>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let client = self.client.take();
        // Connections must close within the runtime that opened them.
        self.runtime.block_on(async move { drop(client) });
    }
}

impl Server {
    pub fn client(&self) -> &Client {
        self.client.as_ref().unwrap()
    }

    /// The document of the API; `None` in a host app that is not at the path of the stories.
    pub(super) async fn described(&self) -> Option<&Described> {
        if self.described.get().is_none() {
            let path = "/api/v1/openapi.json";
            let path =
                self.mount.as_ref().map_or_else(|| path.to_owned(), |mount| mount.path(path));
            let response = self.client().get(path).dispatch().await;
            let is_there = response.status().code == 200;
            let text = response.into_string().await.filter(|_| is_there);
            let _ = self.described.set(text.map(|text| Described::new(&text)));
        }
        self.described.get()?.as_ref()
    }
}

pub fn new_runtime() -> Rc<Runtime> {
    Rc::new(Builder::new_current_thread().enable_all().build().unwrap())
}

/// The settings of every test, with their own database and data folder.
pub fn settings(folder: &Path, database: &str) -> Figment {
    vestibule::service_figment()
        .merge(("databases.vestibule.url", database))
        .merge(("log_level", "off"))
        .merge(("secret_key", SECRET_KEY))
        .merge(("vestibule.data_dir", folder.join("data")))
        .merge(("vestibule.password.cost", 4))
        .merge(("vestibule.jobs", false))
}
