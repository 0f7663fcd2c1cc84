//! Security events of accounts: a row in the table `events` and a line in the log, for later investigation (ASVS
//! 16.3).

use std::sync::atomic::Ordering;
use std::time::Duration;

use log::info;
use uuid::Uuid;

use super::{Auth, Client, UserId};
use crate::Error;
use crate::clock::Timestamp;
use crate::named::named_enum;

named_enum! {
    /// Something that happened to an account, by its name in the table and in the log.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Event {
        SignUpAsked = "sign-up-asked",
        SignedUp = "signed-up",
        Invited = "invited",
        InvitationRevoked = "invitation-revoked",
        SignedIn = "signed-in",
        SignInFailed = "sign-in-failed",
        SignedOut = "signed-out",
        PasswordResetAsked = "password-reset-asked",
        PasswordReset = "password-reset",
        PasswordChanged = "password-changed",
        EmailVerified = "email-verified",
        Renamed = "renamed",
        Created = "created",
        Disabled = "disabled",
        Enabled = "enabled",
        Deleted = "deleted",
        SessionsEnded = "sessions-ended",
        SessionEnded = "session-ended",
        EmailChangeAsked = "email-change-asked",
        EmailChanged = "email-changed",
        EmailUndone = "email-undone",
        DeletionAsked = "deletion-asked",
        Restored = "restored",
        NotMe = "not-me",
        MadeAdmin = "made-admin",
        UnmadeAdmin = "unmade-admin",
    }
}

impl Event {
    /// Writes the log line. It never contains an email field: people type passwords there.
    pub(in crate::auth) fn log(self, user: Option<UserId>, client: &Client) {
        let user = user.map_or_else(|| "none".to_owned(), |user| user.to_string());
        let (kind, address) = (self.as_str(), client.address);
        // The row has the full text. Cut here, because a client chooses its length.
        let agent: String = client.user_agent.chars().take(100).collect();
        let agent = agent.replace(['"', '\\'], "'");
        info!("event={kind} user={user} address={address} agent=\"{agent}\"");
    }
}

/// Something that happened to an account, for the code of a host app; see [`Stage::on`](crate::Stage::on). Each has the
/// name of its `kind` in the table `vestibule_events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountEvent {
    /// Somebody signed up, perhaps by an invitation; [`EmailVerified`](Self::EmailVerified) follows at once if the link
    /// made the account.
    SignedUp(UserId),
    /// The operator or the host app created the account; there is no `SignedUp` then.
    Created(UserId),
    /// The user has shown that the email address is theirs.
    EmailVerified(UserId),
    /// The user signed in. Left out beyond 100 times a day.
    SignedIn(UserId),
    /// The display name was changed. Left out beyond 100 times a day.
    Renamed(UserId),
    /// The user has changed the password.
    PasswordChanged(UserId),
    /// The user has set a password by a mailed link.
    PasswordReset(UserId),
    /// The email address was changed, or put back: see [`User::email`](crate::User::email) for the new one.
    EmailChanged(UserId),
    /// The account was disabled, or its owner has deleted it and can still restore it.
    Disabled(UserId),
    /// The account was enabled, or restored.
    Enabled(UserId),
    /// The account was deleted: nothing finds it any more.
    Deleted(UserId),
}

impl AccountEvent {
    /// The account.
    pub fn user(self) -> UserId {
        match self {
            Self::SignedUp(user)
            | Self::Created(user)
            | Self::EmailVerified(user)
            | Self::SignedIn(user)
            | Self::Renamed(user)
            | Self::PasswordChanged(user)
            | Self::PasswordReset(user)
            | Self::EmailChanged(user)
            | Self::Disabled(user)
            | Self::Enabled(user)
            | Self::Deleted(user) => user,
        }
    }

    /// `None` for what a host app is not told.
    fn of(event: Event, user: UserId) -> Option<Self> {
        Some(match event {
            Event::SignedUp => Self::SignedUp(user),
            Event::Created => Self::Created(user),
            Event::EmailVerified => Self::EmailVerified(user),
            Event::SignedIn => Self::SignedIn(user),
            Event::Renamed => Self::Renamed(user),
            Event::PasswordChanged => Self::PasswordChanged(user),
            Event::PasswordReset => Self::PasswordReset(user),
            Event::Disabled | Event::DeletionAsked => Self::Disabled(user),
            Event::Enabled | Event::Restored => Self::Enabled(user),
            Event::EmailChanged | Event::EmailUndone => Self::EmailChanged(user),
            Event::Deleted => Self::Deleted(user),
            Event::SignUpAsked
            | Event::Invited
            | Event::InvitationRevoked
            | Event::SignInFailed
            | Event::SignedOut
            | Event::PasswordResetAsked
            | Event::SessionsEnded
            | Event::SessionEnded
            | Event::EmailChangeAsked
            | Event::NotMe
            | Event::MadeAdmin
            | Event::UnmadeAdmin => return None,
        })
    }
}

/// An event that the host app is to be told of, claimed by this process.
pub(crate) struct DueEvent {
    id: Uuid,
    at: Timestamp,
    /// `None` if a newer version has recorded it.
    pub(crate) event: Option<AccountEvent>,
}

/// How long a claim keeps an event from other processes.
const LEASE: Duration = Duration::from_mins(1);

/// The longest time until the host app is told again after a failure.
const TOLD_AGAIN_WITHIN: Duration = Duration::from_hours(1);

impl Auth {
    /// From now on, events are kept until the host app was told of them.
    pub(crate) fn tell_events(&self) {
        self.tells_events.store(true, Ordering::Relaxed);
    }

    /// When the host app is to be told of this event.
    pub(in crate::auth) fn told_at(&self, event: Event, user: Option<UserId>) -> Option<Timestamp> {
        let is_told = self.tells_events.load(Ordering::Relaxed);
        user.filter(|_| is_told).and_then(|user| AccountEvent::of(event, user))?;
        Some(self.clock.now())
    }

    /// Returns when there may be an event to tell.
    pub(crate) async fn event_waits(&self) {
        self.event_wakeup.notified().await;
    }

    /// Claims the next event to tell.
    pub(crate) async fn claim_event(&self) -> Result<Option<DueEvent>, Error> {
        let now = self.clock.now();
        let Some(row) = self.store.claim_due_event(now, LEASE).await? else { return Ok(None) };
        let event = Event::parse(&row.kind).zip(row.user_id);
        let event = event.and_then(|(event, user)| AccountEvent::of(event, user));
        Ok(Some(DueEvent { id: row.id, at: row.at, event }))
    }

    /// The host app was told.
    pub(crate) async fn event_was_told(&self, due: &DueEvent) -> Result<(), Error> {
        self.store.update_event_due(due.id, None).await
    }

    /// The host app failed: it is told again later, the older the event the later.
    pub(crate) async fn event_was_not_told(&self, due: &DueEvent) -> Result<(), Error> {
        let now = self.clock.now();
        let delay = (now.since(due.at) / 2).clamp(Duration::from_secs(10), TOLD_AGAIN_WITHIN);
        self.store.update_event_due(due.id, Some(now + delay)).await
    }

    /// Records the event in the database and in the log.
    pub(in crate::auth) async fn record(
        &self,
        event: Event,
        user: Option<UserId>,
        client: &Client,
    ) -> Result<(), Error> {
        event.log(user, client);
        let told_at = self.told_at(event, user);
        self.store.insert_event(event, user, client, self.clock.now(), told_at).await
    }
}
