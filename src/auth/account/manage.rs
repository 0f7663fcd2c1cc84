//! Managing accounts: what the operator and the code of a host app may do with them.

use crate::Error;
use crate::auth::events::Event;
use crate::auth::password::hash::PasswordHash;
use crate::auth::refusal::public_refusal;
use crate::auth::store::{BATCH, NewUser};
use crate::auth::{Auth, Client, Email, Name, Password, User, UserId};
use crate::clock::Timestamp;
use crate::mail::Message;
use uuid::Uuid;

/// An account to be created.
#[derive(Clone, Debug)]
pub struct NewAccount {
    email: Email,
    name: Option<Name>,
    is_verified: bool,
}

impl NewAccount {
    /// An account for this address. Its owner gets a message with a link, valid for a week, to set a password.
    pub fn new(email: Email) -> Self {
        Self { email, name: None, is_verified: false }
    }

    /// With a display name.
    #[must_use]
    pub fn name(self, name: Name) -> Self {
        Self { name: Some(name), ..self }
    }

    /// The address is known to belong to the owner, as after an import or a sign-in elsewhere. No message is sent;
    /// the owner sets a password with "Forgot your password?".
    #[must_use]
    pub fn verified(self) -> Self {
        Self { is_verified: true, ..self }
    }
}

/// Why an account cannot be created.
#[derive(Debug)]
#[non_exhaustive]
pub enum CreateError {
    /// The address has an account.
    EmailTaken,
    /// An internal error.
    Failed(Error),
}

/// Why an account cannot be deleted.
#[derive(Debug)]
#[non_exhaustive]
pub enum DeleteError {
    /// A table of the host app refers to the account and does not allow its deletion (`ON DELETE RESTRICT`, or no
    /// choice).
    InUse,
    /// An internal error.
    Failed(Error),
}

/// A session of an account, for people to recognise.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The ID of the session, which is not secret.
    pub(crate) id: Uuid,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// The client IP that signed in.
    pub ip: String,
    /// The `User-Agent` header of the browser that signed in; at most 256 characters.
    pub user_agent: String,
}

impl Auth {
    /// Finds an account, even if it is disabled.
    pub(crate) async fn account(&self, id: UserId) -> Result<Option<User>, Error> {
        self.store.find_account(id).await
    }

    /// Finds accounts, also disabled ones, in the order of `ids`; skips IDs without an account.
    pub(crate) async fn accounts(&self, ids: &[UserId]) -> Result<Vec<User>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for batch in ids.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
            let accounts = self.store.list_accounts(batch).await?;
            let of = |id: &UserId| accounts.iter().find(|user| user.id == *id).cloned();
            found.extend(batch.iter().filter_map(of));
        }
        Ok(found)
    }

    /// Finds an account by address, even if it is disabled.
    pub(crate) async fn account_by_email(&self, email: &Email) -> Result<Option<User>, Error> {
        self.store.find_account_by_email(email.key()).await
    }

    /// Creates an account without a password.
    pub(crate) async fn create_account(
        &self,
        new: &NewAccount,
        client: &Client,
    ) -> Result<User, CreateError> {
        self.create_account_with(new, None, client).await
    }

    /// Creates an account with this password, whatever the policy says of it.
    pub(crate) async fn create_account_with_password(
        &self,
        new: &NewAccount,
        password: &Password,
        client: &Client,
    ) -> Result<User, CreateError> {
        let mut slot = self.hasher.slot_for_stranger(client);
        let hash = self.hasher.hash(password, &mut slot).await?;
        drop(slot);
        self.create_account_with(new, Some(&hash), client).await
    }

    async fn create_account_with(
        &self,
        new: &NewAccount,
        password_hash: Option<&PasswordHash>,
        client: &Client,
    ) -> Result<User, CreateError> {
        let (id, now) = (UserId::new(), self.clock.now());
        let mut change = self.begin_change(client).await?;
        let row = NewUser {
            id,
            email: &new.email,
            name: new.name.as_ref(),
            password_hash,
            email_verified_at: new.is_verified.then_some(now),
            now,
        };
        if !change.insert_user(row).await? {
            change.rollback().await;
            return Err(CreateError::EmailTaken);
        }
        let user = User {
            id,
            email: new.email.clone(),
            name: new.name.clone(),
            email_verified_at: new.is_verified.then_some(now),
            email_refused_at: None,
            disabled_at: None,
            delete_at: None,
            new_email: None,
            is_admin: false,
            created_at: now,
        };
        if !new.is_verified {
            change.mail(self.message(Message::AccountCreated, &user, client)).await?;
        }
        change.takes_email(&user.email);
        change.record(Event::Created, Some(id)).await?;
        change.commit().await?;
        Ok(user)
    }

    /// Disables an account: ends its sessions and voids its links and known devices. Nobody can sign in to it until
    /// it is enabled. Returns `false` if there is no such account, or it is disabled already. One that its owner has
    /// deleted stays until the operator deletes it: nobody else brings it back.
    pub(crate) async fn disable(&self, id: UserId, client: &Client) -> Result<bool, Error> {
        let mut change = self.begin_change(client).await?;
        let now = change.now;
        if !change.update_disabled(id, now).await? {
            change.rollback().await;
            return Ok(false);
        }
        change.update_password_version(id).await?;
        change.delete_sessions_of(id).await?;
        change.delete_renewed_sessions_of(id).await?;
        change.delete_links_of(id).await?;
        change.changes_user(id);
        change.record(Event::Disabled, Some(id)).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Enables a disabled account; returns `false` if there is none.
    pub(crate) async fn enable(&self, id: UserId, client: &Client) -> Result<bool, Error> {
        let mut change = self.begin_change(client).await?;
        if !change.update_enabled(id).await? {
            change.rollback().await;
            return Ok(false);
        }
        // One may have been stored after the account was disabled, by a message that was just leaving.
        change.delete_links_of(id).await?;
        change.record(Event::Enabled, Some(id)).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Ends all sessions of an account, and makes its known browsers strangers; returns `false` if there is no such account.
    pub(crate) async fn end_sessions(&self, id: UserId, client: &Client) -> Result<bool, Error> {
        let mut change = self.begin_change(client).await?;
        if !change.lock_account(id).await? {
            change.rollback().await;
            return Ok(false);
        }
        change.update_password_version(id).await?;
        change.delete_sessions_of(id).await?;
        change.delete_renewed_sessions_of(id).await?;
        change.changes_user(id);
        change.record(Event::SessionsEnded, Some(id)).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Makes a user an administrator, or no longer one; returns `false` if that changes nothing.
    pub(crate) async fn set_admin(
        &self,
        id: UserId,
        is_admin: bool,
        client: &Client,
    ) -> Result<bool, Error> {
        let mut change = self.begin_change(client).await?;
        if !change.update_admin(id, is_admin).await? {
            change.rollback().await;
            return Ok(false);
        }
        change.changes_user(id);
        let event = if is_admin { Event::MadeAdmin } else { Event::UnmadeAdmin };
        change.record(event, Some(id)).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Lists the sessions of an account that have not ended, the last used first.
    pub(crate) async fn sessions_of(&self, id: UserId) -> Result<Vec<SessionInfo>, Error> {
        let (now, idle) = (self.clock.now(), |remembered| self.idle_ttl(remembered));
        self.store.list_sessions(id, now, now - idle(false), now - idle(true)).await
    }
}

public_refusal!(CreateError { EmailTaken: "the address has an account" });

public_refusal!(DeleteError { InUse: "a table of the app refers to the account" });

impl From<Error> for CreateError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
