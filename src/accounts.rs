//! What the code of a host app may do with accounts.

use std::fmt;

use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::{Phase, Request, Rocket};

use crate::auth::{Auth, Client};
use crate::{
    CreateError, DeleteError, Email, Error, Invitation, InviteError, NewAccount, SessionInfo, User,
    UserId,
};

/// The accounts, for the code of a host app: find, create, disable and delete them. Cheap to clone.
///
/// A guard of every route; elsewhere, [`Accounts::of`] a Rocket. Every change takes effect at once on this node, and
/// on others within `session.cache_for`; each is recorded in the table of events.
///
/// ```no_run
/// use rocket::get;
/// use vestibule::{Accounts, Error, User, UserId};
///
/// #[get("/authors/<id>")]
/// async fn author(id: UserId, accounts: Accounts) -> Result<Option<String>, Error> {
///     Ok(accounts.user(id).await?.map(|user| user.display_name().to_owned()))
/// }
/// ```
#[derive(Clone)]
pub struct Accounts(Auth);

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Accounts {
    /// The accounts of this Rocket, once it is ignited; `None` if no [`stage`](crate::stage) is attached.
    pub fn of<P: Phase>(rocket: &Rocket<P>) -> Option<Self> {
        rocket.state().cloned().map(Self)
    }

    /// Finds an account, even if it is disabled.
    ///
    /// # Errors
    /// If the database fails, as for all methods.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, Error> {
        self.0.account(id).await
    }

    /// Finds accounts, also disabled ones, in the order of `ids`; skips IDs without an account.
    pub async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, Error> {
        self.0.accounts(ids).await
    }

    /// Finds an account by its address, in any spelling, even if it is disabled. The address may be unverified: see
    /// [`User::verified_email`].
    pub async fn user_by_email(&self, email: &Email) -> Result<Option<User>, Error> {
        self.0.account_by_email(email).await
    }

    /// Creates an account without a password, and sends its owner a message with a link to set one, unless the
    /// address is [verified](NewAccount::verified).
    ///
    /// # Errors
    /// If the address has an account.
    pub async fn create(&self, new: &NewAccount) -> Result<User, CreateError> {
        self.0.create_account(new, &Client::operator()).await
    }

    /// Mails an invitation to this address: its link signs one person up, with this address and within 7 days. An
    /// earlier one is void. The settings `signup_domains` and `signup = "invite"` do not keep anybody from accepting it.
    ///
    /// # Errors
    /// If the address has an account, or sign-up is closed.
    pub async fn invite(&self, email: &Email) -> Result<(), InviteError> {
        self.0.invite(email, &Client::operator()).await
    }

    /// Lists the invitations that can still be used, the newest first, at most 1,000.
    pub async fn invitations(&self) -> Result<Vec<Invitation>, Error> {
        self.0.invitations().await
    }

    /// Takes the invitation to an address back: its link is void. Returns `false` if there is none.
    pub async fn revoke_invitation(&self, email: &Email) -> Result<bool, Error> {
        self.0.revoke_invitation(email, &Client::operator()).await
    }

    /// Disables an account: its sessions end, its links and known browsers are void, and nobody can sign in until it is
    /// [enabled](Self::enable); to its owner it looks as if the password were wrong. Returns `false` if there is no
    /// such account, or it is disabled already.
    pub async fn disable(&self, id: UserId) -> Result<bool, Error> {
        self.0.disable(id, &Client::operator()).await
    }

    /// Enables a disabled account. Returns `false` if there is none.
    pub async fn enable(&self, id: UserId) -> Result<bool, Error> {
        self.0.enable(id, &Client::operator()).await
    }

    /// Deletes an account with its sessions, links and waiting messages. What the host's own tables refer to it by
    /// a foreign key is deleted, emptied or kept as their `ON DELETE` says. Returns `false` if there is no such
    /// account.
    ///
    /// # Errors
    /// [`DeleteError::InUse`] if a foreign key forbids it.
    pub async fn delete(&self, id: UserId) -> Result<bool, DeleteError> {
        self.0.delete_account(id, &Client::operator()).await
    }

    /// Signs the user out everywhere. Returns `false` if there is no such account.
    pub async fn end_sessions(&self, id: UserId) -> Result<bool, Error> {
        self.0.end_sessions(id, &Client::operator()).await
    }

    /// Lists the sessions of an account that have not ended, the last used first.
    pub async fn sessions(&self, id: UserId) -> Result<Vec<SessionInfo>, Error> {
        self.0.sessions_of(id).await
    }

    /// Makes a user an [administrator](crate::Admin), or no longer one. Returns `false` if that changes nothing.
    pub async fn set_admin(&self, id: UserId, is_admin: bool) -> Result<bool, Error> {
        self.0.set_admin(id, is_admin, &Client::operator()).await
    }
}

impl From<Auth> for Accounts {
    fn from(auth: Auth) -> Self {
        Self(auth)
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Accounts {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match Self::of(request.rocket()) {
            Some(accounts) => Outcome::Success(accounts),
            None => Outcome::Error((Status::InternalServerError, ())),
        }
    }
}
