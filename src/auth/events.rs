//! Security events of accounts: a row in the table `events` and a line in the log, for later investigation (ASVS
//! 16.3).

use log::info;

use super::{Auth, Client, UserId};
use crate::Error;

/// Something that happened to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Event {
    SignedUp,
    SignedIn,
    SignInFailed,
    SignedOut,
    PasswordResetAsked,
    PasswordReset,
    PasswordChanged,
    EmailVerified,
    Renamed,
    Created,
    Disabled,
    Enabled,
    Deleted,
    SessionsEnded,
    MadeAdmin,
    UnmadeAdmin,
}

impl Event {
    /// The name in the table and in the log.
    pub(in crate::auth) fn as_str(self) -> &'static str {
        match self {
            Self::SignedUp => "signed-up",
            Self::SignedIn => "logged-in",
            Self::SignInFailed => "log-in-failed",
            Self::SignedOut => "logged-out",
            Self::PasswordResetAsked => "password-reset-asked",
            Self::PasswordReset => "password-reset",
            Self::PasswordChanged => "password-changed",
            Self::EmailVerified => "email-verified",
            Self::Renamed => "renamed",
            Self::Created => "created",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Deleted => "deleted",
            Self::SessionsEnded => "sessions-ended",
            Self::MadeAdmin => "made-admin",
            Self::UnmadeAdmin => "unmade-admin",
        }
    }

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

impl Auth {
    /// Records the event in the database and in the log.
    pub(in crate::auth) async fn record(
        &self,
        event: Event,
        user: Option<UserId>,
        client: &Client,
    ) -> Result<(), Error> {
        event.log(user, client);
        self.store.insert_event(event, user, client, self.clock.now()).await
    }
}
