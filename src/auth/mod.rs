//! What is true about accounts: who somebody is, what opens an account, what a session or a mailed
//! link is worth. Knows no HTML, no JSON and no HTTP.
//!
//! Each flow has a file with its verbs on [`Auth`] and an enum for what it refuses.

mod account;
mod change;
mod client;
mod device;
mod events;
mod fair_queue;
mod health;
mod inspect;
mod link;
mod login;
mod outbox;
mod password;
mod refusal;
mod session;
mod store;
mod sweep;
mod throttle;
mod token;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::{Duration, Instant};

use rocket::tokio::sync::{Mutex, Notify};

pub(crate) use account::{Asked, SignUp, SignUpBy, SignUpError, VerifyEmailError};
pub use account::{Email, EmailError, Name, NameError, User, UserId};
pub(crate) use client::Client;
pub(crate) use device::{Browser, Device, System};
pub(crate) use health::Health;
pub(crate) use inspect::{Key, inspect};
pub(crate) use link::{OpenedLink, Purpose};
pub(crate) use login::{PasswordProof, WrongCredentials};
pub(crate) use outbox::LOOK_EVERY;
pub(crate) use password::change::ChangePasswordError;
pub(crate) use password::reset::{ResetPasswordError, Twice};
pub(crate) use password::{NewPassword, Password, PasswordError, WeakPassword};
pub(crate) use refusal::{Limited, Refused};
pub(crate) use session::{KNOWN_FOR, KnownDevice, NewSession, Session, SignedOut};
pub(crate) use store::{Db, InFlight, Store, Tables, Unusable, migrate, on_behalf_of};
pub(crate) use throttle::{ThrottleKey, Wait};
pub(crate) use token::{LinkToken, SessionToken};

use crate::Error;
use crate::clock::Clock;
use crate::config::Config;
use crate::mail::Mail;
use crate::seldom::Seldom;
use outbox::Wakeup;
use password::hasher::{HashSlot, Hasher};
use session::SessionCache;
use throttle::ClosedBuckets;

/// The one handle to everything about accounts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Auth {
    store: Store,
    hasher: Arc<Hasher>,
    sessions: Arc<SessionCache>,
    config: Arc<Config>,
    clock: Clock,
    mail: Arc<Mail>,
    throttle_key: ThrottleKey,
    delivery_wakeup: Arc<Wakeup>,
    /// Whether this process has taken over what another one had claimed of the outbox.
    delivers: Arc<AtomicBool>,
    closed_buckets: Arc<ClosedBuckets>,
    /// How many messages waited when somebody last looked.
    messages_waiting: Arc<AtomicI64>,
    /// How many counts strangers may have added since the last sweep.
    new_rows: Arc<AtomicI64>,
    sweep_is_due: Arc<Notify>,
    /// What was seen when somebody last looked.
    last_look: Arc<Mutex<Option<Health>>>,
    clock_differs: Arc<Seldom>,
    unnoted_sessions: Arc<Seldom>,
    is_leaving: Arc<AtomicBool>,
    delivery_at: Arc<std::sync::Mutex<Option<Instant>>>,
}

/// Why a node cannot begin, or must not.
pub(crate) enum OpenError {
    /// The threads that hash passwords cannot start.
    HashThreads(io::Error),
    /// The database failed.
    Failed(Error),
    /// The database cannot be opened.
    Database(sqlx::Error),
    /// The clock is so far from the database's.
    ClockDiffers(Duration),
    /// The secret key is another one than the other nodes have.
    OtherKey,
}

impl Auth {
    /// Puts the parts together, on a database that is open, and compares this node with others on it.
    ///
    /// # Errors
    /// When this node must not begin.
    pub(crate) async fn open(
        store: Store,
        config: Arc<Config>,
        clock: Clock,
        mail: Mail,
        throttle_key: ThrottleKey,
    ) -> Result<Self, OpenError> {
        let hasher = Hasher::start(&config).map_err(OpenError::HashThreads)?;
        let auth = Self {
            store,
            hasher: Arc::new(hasher),
            sessions: Arc::new(SessionCache::new(config.session.cache_for)),
            config,
            clock,
            mail: Arc::new(mail),
            throttle_key,
            delivery_wakeup: Arc::default(),
            delivers: Arc::default(),
            closed_buckets: Arc::default(),
            messages_waiting: Arc::default(),
            new_rows: Arc::default(),
            sweep_is_due: Arc::default(),
            last_look: Arc::default(),
            clock_differs: Arc::default(),
            unnoted_sessions: Arc::default(),
            is_leaving: Arc::default(),
            delivery_at: Arc::default(),
        };
        auth.agree_with_others().await?;
        Ok(auth)
    }

    /// The settings.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Counts a request in; the database stays open until what is returned is dropped.
    pub(crate) fn enter(&self) -> InFlight {
        self.store.enter()
    }

    /// Whether `password` may be set by somebody with this address and name; see [`WeakPassword`].
    async fn check_new_password(
        &self,
        password: Password,
        email: &Email,
        name: Option<&Name>,
        slot: &mut HashSlot,
    ) -> Result<NewPassword, Refused<WeakPassword>> {
        let local = email.as_str().split('@').next();
        let site = Some(self.config.site_name.as_str());
        let texts = [Some(email.as_str()), local, site, name.map(Name::as_str)];
        let texts = texts.into_iter().flatten();
        let parts = texts.clone().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        let parts = parts.filter(|part| part.chars().count() >= 3).take(20);
        let context = texts.chain(parts).map(str::to_owned).collect();
        self.hasher.check(password, context, slot).await
    }
}
