//! The first step of signing in: the password.

use std::time::Duration;

use log::warn;
use rocket::tokio::time::sleep;

use crate::Error;
use crate::auth::events::Event;
use crate::auth::password::hash::{MAX_COST, PasswordHash};
use crate::auth::password::hasher::HashSlot;
use crate::auth::password::{PasswordVersion, Spelling};
use crate::auth::store::Credentials;
use crate::auth::{Auth, Client, Email, Password, Refused, User};

/// Proof that the client gave the right password of an account.
pub(crate) struct PasswordProof {
    pub(crate) user: User,
    /// The version of the password that was checked: a reset in the meantime makes the proof worthless.
    pub(in crate::auth) password_version: PasswordVersion,
    /// How much longer this request may wait for further hashes.
    pub(in crate::auth) wait_left: Duration,
}

/// No such account, a wrong password, or a disabled account: the answer does not say which.
pub(crate) struct WrongCredentials;

impl Auth {
    /// Finds the account for this address and password. Takes equally long whether or not the account exists.
    pub(crate) async fn verify_password(
        &self,
        email: &str,
        password: Option<&Password>,
        client: &Client,
    ) -> Result<PasswordProof, Refused<WrongCredentials>> {
        self.verify_password_within(email, password, client, self.config.hashing.max_wait).await
    }

    /// Like `verify_password`, with a limit on the time to wait for a hash worker.
    pub(in crate::auth) async fn verify_password_within(
        &self,
        email: &str,
        password: Option<&Password>,
        client: &Client,
        wait_left: Duration,
    ) -> Result<PasswordProof, Refused<WrongCredentials>> {
        // Text that cannot be a valid address or password is a wrong one.
        let email = email.parse::<Email>().ok();
        let hashed = email.as_ref().filter(|_| password.is_some());
        // Before the account is looked up: the time of a refusal must not depend on that.
        if let Some(refusal) = self.refuse_stranger(hashed, client)
            && !self.may_be_known(hashed, client).await?
        {
            return Err(refusal.into());
        }
        let found = match &email {
            Some(email) => self.store.find_credentials(email).await?,
            None => None,
        };
        let mut attempt = self.charge_attempt(hashed, found.as_ref(), client).await?;
        attempt.slot.wait_at_most(wait_left);
        let (Some(_), Some(password)) = (email, password) else {
            // It belongs to no account and costs nothing to send, but would push out the events of real accounts.
            if self.may_record_invalid(client).await? {
                self.record(Event::SignInFailed, None, client).await?;
            }
            return Err(Refused::Because(WrongCredentials));
        };
        let hash = found.as_ref().and_then(|found| self.readable_hash(found));
        let verified =
            self.hasher.verify(password, hash.unwrap_or(self.hasher.dummy()), &mut attempt.slot);
        let verdict = match verified.await {
            Ok(verdict) => verdict,
            Err(error) => {
                // A password typed in another normal form is hashed twice. If only the second hash found no time,
                // the first one has already told whether it was right.
                if !attempt.slot.has_hashed() {
                    self.attempt_dropped(&attempt).await?;
                }
                return Err(error.into());
            }
        };
        let spelling = verdict.matches.filter(|_| hash.is_some());
        let user = found.as_ref().map(|found| found.user.id);
        let found = found.filter(|found| !found.is_disabled);
        let Some((found, spelling)) = found.zip(spelling) else {
            sleep(verdict.shortfall).await;
            self.record(Event::SignInFailed, user, client).await?;
            return Err(Refused::Because(WrongCredentials));
        };
        self.attempt_succeeded(&attempt).await?;
        self.renew_hash(&found, password, spelling, &mut attempt.slot).await?;
        let wait_left = attempt.slot.left();
        Ok(PasswordProof { user: found.user, password_version: found.password_version, wait_left })
    }

    /// The stored hash, if its cost is low enough to verify. Users with other imported hashes have to reset their
    /// password; the answer does not reveal which accounts those are.
    fn readable_hash<'c>(&self, found: &'c Credentials) -> Option<&'c PasswordHash> {
        let most = MAX_COST.max(self.config.password.cost);
        let hash = found.password_hash.as_ref().filter(|hash| hash.cost() <= most);
        // An empty one is no mistake: a mailed link sets the password.
        if hash.is_none() && !found.stored_hash.is_empty() {
            warn!("user={} has a password hash that cannot be read", found.user.id);
        }
        hash
    }

    /// Replaces the stored hash if it was imported or has a lower cost, now that the password is known.
    async fn renew_hash(
        &self,
        found: &Credentials,
        password: &Password,
        spelling: Spelling,
        slot: &mut HashSlot,
    ) -> Result<(), Error> {
        let is_outdated = |hash| self.hasher.is_outdated(hash, spelling);
        if !found.password_hash.as_ref().is_some_and(is_outdated) {
            return Ok(());
        }
        let Some(new) = unless_busy(self.hasher.hash(&password.spelled(spelling), slot).await)?
        else {
            return Ok(());
        };
        let old = found.stored_hash.clone();
        let mut tx = self.store.begin().await?;
        // The user first, as everywhere: two that lock them in another order would wait for each other.
        tx.lock_user(found.user.id).await?;
        tx.update_outdated_hash(found.user.id, old, &new).await?;
        tx.commit().await
    }
}

/// `None` if there is no time for the hash: it is renewed another time, since a busy service must not refuse a right
/// password for this.
fn unless_busy<T>(hashed: Result<T, Error>) -> Result<Option<T>, Error> {
    match hashed {
        Ok(hash) => Ok(Some(hash)),
        Err(error) if error.busy_for().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promise 26: a right password is not refused because its hash cannot be renewed right now.
    #[test]
    fn only_a_busy_service_renews_a_hash_another_time() {
        let busy = Error::busy("too many passwords", Duration::from_secs(5));
        assert!(matches!(unless_busy(Ok(7)), Ok(Some(7))));
        assert!(matches!(unless_busy::<u8>(Err(busy)), Ok(None)));
        assert!(unless_busy::<u8>(Err(Error::new("no random numbers", "none"))).is_err());
    }
}
