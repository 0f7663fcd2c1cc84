//! Accounts, sign-in, sessions and mailed links: the rules. Knows no HTML, no JSON and no HTTP.
//!
//! Each flow has a file with its methods on [`Auth`] and an enum of the refusals.

mod account;
mod activity;
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

pub(crate) use account::{
    CannotReport, CannotRestore, CannotUndo, ChangeEmailError, ConfirmEmailError, Deletion,
    DeletionError, Export, JoinError, Joined, LONGEST_GRACE, SignUp, SignUpBy, SignUpError,
    SignedUp, VerificationRequest, VerifyEmailError, is_unseen,
};
pub use account::{
    CreateError, DeleteError, Email, EmailError, Invitation, InviteError, Name, NameError,
    NewAccount, SessionInfo, User, UserId, UserIdError,
};
pub(crate) use activity::Activity;
pub(crate) use client::{Client, canonical, ip_site};
pub(crate) use device::{Browser, Device, System};
pub use events::AccountEvent;
pub(crate) use events::Event;
pub(crate) use health::Health;
pub(crate) use inspect::{CannotWrite, Key, inspect};
pub(crate) use link::{OpenedLink, Purpose};
pub(crate) use login::{PasswordProof, WrongCredentials};
pub(crate) use outbox::LOOK_EVERY;
pub(crate) use password::change::ChangePasswordError;
pub(crate) use password::hasher::time_of_hash;
pub(crate) use password::reset::{OnRepeat, ResetPasswordError};
pub(crate) use password::{NewPassword, Password, PasswordError, WeakPassword};
pub(crate) use refusal::{Limited, Refused};
pub(crate) use session::{
    EndSessionError, KNOWN_FOR, KnownDevice, NewSession, RecentLoginError, Session, SignedOut,
};
#[cfg(feature = "postgres")]
pub(crate) use store::PostgresUnusable;
pub(crate) use store::{Db, InFlight, Store, Tables, Unusable, migrate, on_behalf_of};
pub(crate) use throttle::{ThrottleKey, Wait};
pub(crate) use token::{LinkToken, SessionToken};

use crate::Error;
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::mail::Mail;
use crate::seldom::Seldom;
use outbox::Wakeup;
use password::hasher::Hasher;
use session::SessionCache;
use throttle::ClosedBuckets;

/// The handle to everything about accounts. Cheap to clone.
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
    /// Whether the host app wants to be told of events.
    tells_events: Arc<AtomicBool>,
    event_wakeup: Arc<Notify>,
    /// Whether this process has taken over outbox messages claimed by an earlier one.
    delivers: Arc<AtomicBool>,
    closed_buckets: Arc<ClosedBuckets>,
    /// The number of waiting messages at the last count.
    messages_waiting: Arc<AtomicI64>,
    /// The number of throttle rows that strangers may have added since the last sweep.
    new_rows: Arc<AtomicI64>,
    sweep_is_due: Arc<Notify>,
    /// The last health check.
    last_look: Arc<Mutex<Option<Health>>>,
    clock_differs: Arc<Seldom>,
    unrecorded_sessions: Arc<Seldom>,
    is_leaving: Arc<AtomicBool>,
    delivery_at: Arc<std::sync::Mutex<Option<Instant>>>,
}

/// Why a node cannot start, or must not.
pub(crate) enum OpenError {
    /// The threads that hash passwords cannot start.
    HashThreads(io::Error),
    /// The database failed.
    Failed(Error),
    /// The database cannot be opened.
    Database(sqlx::Error),
    /// The clock is too far from the database's.
    ClockDiffers(Duration),
    /// The secret key differs from the one of other nodes.
    OtherKey,
}

impl Auth {
    /// Assembles the service on an open database and compares this node with the others.
    ///
    /// # Errors
    /// If this node must not start beside the others.
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
            tells_events: Arc::default(),
            event_wakeup: Arc::default(),
            delivers: Arc::default(),
            closed_buckets: Arc::default(),
            messages_waiting: Arc::default(),
            new_rows: Arc::default(),
            sweep_is_due: Arc::default(),
            last_look: Arc::default(),
            clock_differs: Arc::default(),
            unrecorded_sessions: Arc::default(),
            is_leaving: Arc::default(),
            delivery_at: Arc::default(),
        };
        auth.agree_with_others().await?;
        Ok(auth)
    }

    /// The time, by the clock that all nodes follow.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The settings.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Counts a request as in flight; the database stays open until the guard is dropped.
    pub(crate) fn enter(&self) -> InFlight {
        self.store.enter()
    }
}
