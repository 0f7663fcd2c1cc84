//! Inviting people to sign up.

use serde::Serialize;

use crate::auth::events::Event;
use crate::auth::link::Purpose;
use crate::auth::refusal::public_refusal;
use crate::auth::{Auth, Client, Email};
use crate::clock::Timestamp;
use crate::config::SignUps;
use crate::error::Error;
use crate::mail::Message;

/// Somebody who may sign up; from [`Accounts::invitations`](crate::Accounts::invitations).
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Invitation {
    /// The address that it was mailed to, and that the account will have.
    pub email: Email,
    /// When they were invited.
    pub invited_at: Timestamp,
    /// Until when they can sign up.
    pub expires_at: Timestamp,
}

/// Why somebody is not invited.
#[derive(Debug)]
#[non_exhaustive]
pub enum InviteError {
    /// The address has an account.
    EmailTaken,
    /// With the setting `signup = "closed"` nobody signs up.
    Closed,
    /// The database failed.
    Failed(Error),
}

public_refusal!(InviteError {
    EmailTaken: "the address has an account",
    Closed: "sign-up is closed",
});

impl From<Error> for InviteError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Auth {
    /// Mails an invitation to this address, whatever its domain. An earlier one is void: its email may be lost, and the
    /// new one counts from now on.
    pub(crate) async fn invite(&self, email: &Email, client: &Client) -> Result<(), InviteError> {
        if self.config.signup == SignUps::Closed {
            return Err(InviteError::Closed);
        }
        if self.store.find_account_by_email(email.key()).await?.is_some() {
            return Err(InviteError::EmailTaken);
        }
        let mut change = self.begin_change(client).await?;
        change.delete_invitations(email.key()).await?;
        let mut message = self.message_to(Message::Invitation, None, email, client);
        message.payload = Some(email.as_str().to_owned());
        change.mail(message).await?;
        change.record(Event::Invited, None).await?;
        Ok(change.commit().await?)
    }

    /// Lists the invitations that can still be used, the newest first, at most 1,000.
    pub(crate) async fn invitations(&self) -> Result<Vec<Invitation>, Error> {
        self.store.list_invitations(self.clock.now(), Purpose::Invitation.ttl()).await
    }

    /// Takes an invitation back; returns `false` if there is none.
    pub(crate) async fn revoke_invitation(
        &self,
        email: &Email,
        client: &Client,
    ) -> Result<bool, Error> {
        let mut change = self.begin_change(client).await?;
        if !change.delete_invitations(email.key()).await? {
            change.rollback().await;
            return Ok(false);
        }
        change.record(Event::InvitationRevoked, None).await?;
        change.commit().await?;
        Ok(true)
    }
}
