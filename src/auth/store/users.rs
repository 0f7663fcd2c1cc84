//! The tables `vestibule_users` and `vestibule_passwords`.

use sqlx::FromRow;

use super::text::AnyText;
use super::{ByEngine, Charge, Result, Store, Tx};
use crate::auth::client::Client;
use crate::auth::password::PasswordVersion;
use crate::auth::password::hash::PasswordHash;
use crate::auth::{Email, KnownDevice, Name, User, UserId};
use crate::clock::Timestamp;

/// A user with the password hash. Never leaves `auth`.
pub(in crate::auth) struct Credentials {
    pub(in crate::auth) user: User,
    /// `None` if the stored hash cannot be read; then no password opens the account.
    pub(in crate::auth) password_hash: Option<PasswordHash>,
    /// The hash as stored: an imported one has more than one spelling.
    pub(in crate::auth) stored_hash: String,
    pub(in crate::auth) password_version: PasswordVersion,
    pub(in crate::auth) is_disabled: bool,
}

impl Credentials {
    /// The valid proof that this browser has opened the account before, if there is one.
    pub(in crate::auth) fn device_of<'c>(
        &self,
        client: &'c Client,
        now: Timestamp,
    ) -> Option<&'c KnownDevice> {
        let id = self.user.id;
        client.devices.iter().find(|device| device.opened(id, self.password_version, now))
    }
}

/// The columns of a new user.
pub(in crate::auth) struct NewUser<'a> {
    pub(in crate::auth) id: UserId,
    pub(in crate::auth) email: &'a Email,
    pub(in crate::auth) name: Option<&'a Name>,
    /// `None` if the owner will set the password.
    pub(in crate::auth) password_hash: Option<&'a PasswordHash>,
    pub(in crate::auth) email_verified_at: Option<Timestamp>,
    pub(in crate::auth) now: Timestamp,
}

/// The columns of a [`User`].
#[derive(FromRow)]
pub(super) struct UserRow {
    user_id: UserId,
    email: AnyText,
    email_key: AnyText,
    name: Option<AnyText>,
    email_verified_at: Option<Timestamp>,
    email_refused_at: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    delete_at: Option<Timestamp>,
    new_email: Option<AnyText>,
    new_email_key: Option<AnyText>,
    is_admin: bool,
    user_created_at: Timestamp,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        let read = |text: Option<AnyText>| text.and_then(|text| text.0);
        Self {
            id: row.user_id,
            email: {
                // Unreadable addresses are shown by their key, if that can be read.
                let key = row.email_key.0.unwrap_or_default();
                Email::from_row(row.email.0.unwrap_or_else(|| key.clone()), key)
            },
            name: row.name.and_then(|name| name.0).map(Name::from_row),
            email_verified_at: row.email_verified_at,
            email_refused_at: row.email_refused_at,
            disabled_at: row.disabled_at,
            delete_at: row.delete_at,
            new_email: read(row.new_email)
                .zip(read(row.new_email_key))
                .map(|(typed, key)| Email::from_row(typed, key)),
            is_admin: row.is_admin,
            created_at: row.user_created_at,
        }
    }
}

#[derive(FromRow)]
struct CredentialsRow {
    #[sqlx(flatten)]
    user: UserRow,
    hash: Option<AnyText>,
    version: Option<PasswordVersion>,
}

#[derive(FromRow)]
struct Owner {
    user_id: UserId,
}

#[derive(FromRow)]
struct Prefix {
    prefix: AnyText,
}

#[derive(FromRow)]
struct SignedUp {
    charged_key: Option<Vec<u8>>,
    charged_millis: Option<i64>,
}

#[derive(FromRow)]
struct PasswordSet {
    version: PasswordVersion,
}

/// The columns of [`UserRow`], for a `SELECT` from `vestibule_users AS users`.
macro_rules! user_columns {
    () => {
        "users.id AS user_id, users.email, users.email_key, users.name, users.email_verified_at, \
         users.email_refused_at, users.disabled_at, users.delete_at, users.new_email, users.new_email_key, \
         users.is_admin, users.created_at AS user_created_at"
    };
}
pub(super) use user_columns;

impl Store {
    pub(in crate::auth) async fn find_credentials(
        &self,
        email: &Email,
    ) -> Result<Option<Credentials>> {
        let found: Option<CredentialsRow> = self
            .find(
                concat!(
                    "SELECT ",
                    user_columns!(),
                    ", passwords.hash, passwords.version \
                     FROM vestibule_users AS users \
                     LEFT JOIN vestibule_passwords AS passwords ON passwords.user_id = users.id \
                     WHERE users.email_key = $1"
                ),
                (email.key().to_owned(),),
            )
            .await?;
        Ok(found.map(|row| {
            let hash = row.hash.and_then(|hash| hash.0);
            let user = User::from(row.user);
            Credentials {
                stored_hash: hash.clone().unwrap_or_default(),
                password_hash: hash.and_then(|hash| hash.parse().ok()),
                password_version: row.version.unwrap_or_default(),
                is_disabled: user.disabled_at.is_some(),
                user,
            }
        }))
    }

    /// Lists the distinct beginnings of stored hashes: their schemes and costs.
    pub(in crate::auth) async fn list_hash_prefixes(&self) -> Result<Vec<String>> {
        // `$bcrypt-sha256$v=2,t=2b,r=12$` and `$2b$12$`
        let found: Vec<Prefix> = self
            .list(
                "SELECT DISTINCT CASE WHEN hash LIKE '$bcrypt%' \
                 THEN substr(hash, 1, 29) ELSE substr(hash, 1, 7) END AS prefix \
                 FROM vestibule_passwords WHERE length(hash) > $1 LIMIT 1000",
                (7_i64,),
            )
            .await?;
        Ok(found.into_iter().filter_map(|found| found.prefix.0).collect())
    }

    /// Finds an account by address, unless it is disabled.
    pub(in crate::auth) async fn find_user_by_email(&self, key: &str) -> Result<Option<User>> {
        let found: Option<UserRow> = self
            .find(
                concat!(
                    "SELECT ",
                    user_columns!(),
                    " FROM vestibule_users AS users WHERE users.email_key = $1 AND users.disabled_at IS NULL"
                ),
                (key.to_owned(),),
            )
            .await?;
        Ok(found.map(User::from))
    }

    /// Finds an account, unless it is disabled.
    pub(in crate::auth) async fn find_user(&self, id: UserId) -> Result<Option<User>> {
        let found: Option<UserRow> = self
            .find(
                concat!(
                    "SELECT ",
                    user_columns!(),
                    " FROM vestibule_users AS users WHERE users.id = $1 AND users.disabled_at IS NULL"
                ),
                (id,),
            )
            .await?;
        Ok(found.map(User::from))
    }

    /// Notes when a mail server refused this address for good, or that it no longer does. Returns whose address it is.
    pub(in crate::auth) async fn update_refused_address(
        &self,
        key: &str,
        refused_at: Option<Timestamp>,
    ) -> Result<Option<UserId>> {
        let sql = "UPDATE vestibule_users SET email_refused_at = $2 WHERE email_key = $1 RETURNING id AS user_id";
        let owner: Vec<Owner> = self.returning(sql, (key.to_owned(), refused_at)).await?;
        Ok(owner.first().map(|owner| owner.user_id))
    }

    /// Finds an account, even if it is disabled.
    pub(in crate::auth) async fn find_account(&self, id: UserId) -> Result<Option<User>> {
        let found: Option<UserRow> = self.find(FIND, (id,)).await?;
        Ok(found.map(User::from))
    }

    /// Whether the account has a password.
    pub(in crate::auth) async fn has_password(&self, id: UserId) -> Result<bool> {
        let sql = "SELECT version FROM vestibule_passwords WHERE user_id = $1 AND hash <> $2";
        let found: Option<PasswordSet> = self.find(sql, (id, "")).await?;
        Ok(found.is_some())
    }

    /// Lists accounts that are to be erased, at most one batch.
    pub(in crate::auth) async fn list_erasable_users(&self, now: Timestamp) -> Result<Vec<UserId>> {
        let sql = "SELECT id AS user_id FROM vestibule_users WHERE delete_at <= $1 \
                   ORDER BY delete_at LIMIT 1000";
        let found: Vec<Owner> = self.list(sql, (now,)).await?;
        Ok(found.into_iter().map(|found| found.user_id).collect())
    }

    /// Has an account erased at another time.
    pub(in crate::auth) async fn update_delete_at(&self, id: UserId, at: Timestamp) -> Result<()> {
        let sql =
            "UPDATE vestibule_users SET delete_at = $2 WHERE id = $1 AND delete_at IS NOT NULL";
        self.run(sql, (id, at)).await?;
        Ok(())
    }

    /// Lists accounts, also disabled ones, in no particular order. `ids` are at most [`BATCH`](super::BATCH).
    pub(in crate::auth) async fn list_accounts(&self, ids: &[UserId]) -> Result<Vec<User>> {
        // One text for both engines, which have no type for a list in common.
        let ids: Vec<String> = ids.iter().map(|id| id.simple()).collect();
        let found: Vec<UserRow> = self.list(self.text(LIST), (ids.join(","),)).await?;
        Ok(found.into_iter().map(User::from).collect())
    }

    /// Finds an account by address, even if it is disabled.
    pub(in crate::auth) async fn find_account_by_email(&self, key: &str) -> Result<Option<User>> {
        let found: Option<UserRow> = self
            .find(
                concat!(
                    "SELECT ",
                    user_columns!(),
                    " FROM vestibule_users AS users WHERE users.email_key = $1"
                ),
                (key.to_owned(),),
            )
            .await?;
        Ok(found.map(User::from))
    }
}

const FIND: &str =
    concat!("SELECT ", user_columns!(), " FROM vestibule_users AS users WHERE users.id = $1");

/// The accounts of a comma-separated list of IDs.
const LIST: ByEngine = ByEngine {
    sqlite: concat!(
        "SELECT ",
        user_columns!(),
        " FROM vestibule_users AS users WHERE users.id IN \
         (SELECT unhex(value) FROM json_each('[\"' || replace($1, ',', '\",\"') || '\"]'))"
    ),
    postgres: concat!(
        "SELECT ",
        user_columns!(),
        " FROM vestibule_users AS users WHERE users.id = ANY(string_to_array($1, ',')::uuid[])"
    ),
};

impl Tx {
    /// Finds an account, even if it is disabled.
    pub(in crate::auth) async fn find_account(&mut self, id: UserId) -> Result<Option<User>> {
        let found: Option<UserRow> = self.find(FIND, (id,)).await?;
        Ok(found.map(User::from))
    }

    /// Replaces an outdated hash, unless it has changed in the meantime. The user must be locked.
    pub(in crate::auth) async fn update_outdated_hash(
        &mut self,
        id: UserId,
        old: String,
        new: &PasswordHash,
    ) -> Result<()> {
        let sql = "UPDATE vestibule_passwords SET hash = $3 WHERE user_id = $1 AND hash = $2";
        self.run(sql, (id, old, new.to_string())).await?;
        Ok(())
    }

    /// Returns `false` if the address is taken, or another account may still get it back: the UNIQUE constraint
    /// decides between concurrent sign-ups.
    pub(in crate::auth) async fn insert_user(&mut self, user: NewUser<'_>) -> Result<bool> {
        let inserted = self
            .run(
                "INSERT INTO vestibule_users (id, email, email_key, name, created_at, email_verified_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (email_key) DO NOTHING",
                (
                    user.id,
                    user.email.as_str().to_owned(),
                    user.email.key().to_owned(),
                    user.name.map(|name| name.as_str().to_owned()),
                    user.now,
                    user.email_verified_at,
                ),
            )
            .await?;
        // Asked afterwards: an address that another transaction gives up is free for the statement above only once
        // that transaction has reserved it.
        if inserted == 0 || self.is_email_reserved(user.email.key(), user.id, user.now).await? {
            return Ok(false);
        }
        if let Some(hash) = user.password_hash {
            let sql = "INSERT INTO vestibule_passwords (user_id, hash) VALUES ($1, $2)";
            self.run(sql, (user.id, hash.to_string())).await?;
        }
        Ok(true)
    }

    /// Locks the user's row until the transaction ends. Must come first in every transaction that changes several
    /// rows of a user: on PostgreSQL, two in different orders would deadlock. Returns `false` if there is no such
    /// user, or the account is disabled.
    pub(in crate::auth) async fn lock_user(&mut self, id: UserId) -> Result<bool> {
        let sql = "UPDATE vestibule_users SET id = id WHERE id = $1 AND disabled_at IS NULL";
        Ok(self.run(sql, (id,)).await? == 1)
    }

    /// [`lock_user`](Self::lock_user), if the password has not changed.
    pub(in crate::auth) async fn lock_user_with_password(
        &mut self,
        id: UserId,
        version: PasswordVersion,
    ) -> Result<bool> {
        // Two statements: on PostgreSQL, a single one that waited for the lock would see the other tables as they
        // were before.
        if !self.lock_user(id).await? {
            return Ok(false);
        }
        let sql = "SELECT version FROM vestibule_passwords WHERE user_id = $1";
        let found: Option<PasswordSet> = self.find(sql, (id,)).await?;
        Ok(found.is_some_and(|found| found.version == version))
    }

    pub(in crate::auth) async fn update_name(
        &mut self,
        id: UserId,
        name: Option<&Name>,
    ) -> Result<()> {
        let name = name.map(|name| name.as_str().to_owned());
        self.run("UPDATE vestibule_users SET name = $2 WHERE id = $1", (id, name)).await?;
        Ok(())
    }

    /// Sets a password, which makes all known devices strangers. The user's row must be locked.
    pub(in crate::auth) async fn update_password(
        &mut self,
        id: UserId,
        hash: &PasswordHash,
    ) -> Result<PasswordVersion> {
        let set: Option<PasswordSet> = self
            .find(
                "INSERT INTO vestibule_passwords AS passwords (user_id, hash, version) VALUES ($1, $2, 1) \
                 ON CONFLICT (user_id) DO UPDATE SET hash = $2, version = passwords.version + 1 \
                 RETURNING version",
                (id, hash.to_string()),
            )
            .await?;
        Ok(set.map_or_else(PasswordVersion::default, |set| set.version))
    }

    /// Marks the address as verified. Returns `false` if `recipient` is no longer the account's address.
    pub(in crate::auth) async fn update_verified(
        &mut self,
        id: UserId,
        recipient: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let updated = self
            .run(
                "UPDATE vestibule_users SET email_verified_at = COALESCE(email_verified_at, $3), \
                 email_refused_at = NULL WHERE id = $1 AND email_key = $2 AND disabled_at IS NULL",
                (id, recipient.to_owned(), now),
            )
            .await?;
        Ok(updated == 1)
    }

    /// Stores the charge of this sign-up.
    pub(in crate::auth) async fn update_sign_up_charge(
        &mut self,
        id: UserId,
        charge: Charge,
    ) -> Result<()> {
        let sql = "UPDATE vestibule_users SET charged_key = $2, charged_millis = $3 WHERE id = $1";
        self.run(sql, (id, charge.key, charge.millis)).await?;
        Ok(())
    }

    /// Takes the charge of this sign-up, if the account was created since then. The user's row must be locked.
    pub(in crate::auth) async fn take_sign_up_charge(
        &mut self,
        id: UserId,
        since: Timestamp,
    ) -> Result<Option<Charge>> {
        let sql = "SELECT charged_key, charged_millis FROM vestibule_users \
                   WHERE id = $1 AND created_at > $2 AND charged_key IS NOT NULL";
        let found: Option<SignedUp> = self.find(sql, (id, since)).await?;
        let Some(SignedUp { charged_key: Some(key), charged_millis: Some(millis) }) = found else {
            return Ok(None);
        };
        self.run(
            "UPDATE vestibule_users SET charged_key = NULL, charged_millis = NULL WHERE id = $1",
            (id,),
        )
        .await?;
        Ok(Some(Charge { key, millis }))
    }

    /// Clears what somebody with a password has set up on an address that was never verified. An account without a
    /// password was set up by the operator.
    pub(in crate::auth) async fn clear_unproven_profile(&mut self, id: UserId) -> Result<()> {
        let sql = "UPDATE vestibule_users SET name = NULL WHERE id = $1 AND email_verified_at IS NULL \
                   AND id IN (SELECT user_id FROM vestibule_passwords)";
        self.run(sql, (id,)).await?;
        Ok(())
    }

    /// Locks the user's row, even of a disabled account; see [`lock_user`](Self::lock_user).
    pub(in crate::auth) async fn lock_account(&mut self, id: UserId) -> Result<bool> {
        Ok(self.run("UPDATE vestibule_users SET id = id WHERE id = $1", (id,)).await? == 1)
    }

    /// Disables an account; returns `false` if there is none, or it is disabled already. One that its owner has deleted
    /// is neither erased nor restored any more.
    pub(in crate::auth) async fn update_disabled(
        &mut self,
        id: UserId,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE vestibule_users SET disabled_at = $2, delete_at = NULL \
                   WHERE id = $1 AND (disabled_at IS NULL OR delete_at IS NOT NULL)";
        Ok(self.run(sql, (id, now)).await? == 1)
    }

    /// Enables an account; returns `false` if there is none, or it is not disabled.
    pub(in crate::auth) async fn update_enabled(&mut self, id: UserId) -> Result<bool> {
        let sql = "UPDATE vestibule_users SET disabled_at = NULL, delete_at = NULL \
                   WHERE id = $1 AND disabled_at IS NOT NULL";
        Ok(self.run(sql, (id,)).await? == 1)
    }

    /// Makes known devices strangers without changing the password.
    pub(in crate::auth) async fn update_password_version(
        &mut self,
        id: UserId,
    ) -> Result<PasswordVersion> {
        let sql = "UPDATE vestibule_passwords SET version = version + 1 WHERE user_id = $1 RETURNING version";
        let set: Option<PasswordSet> = self.find(sql, (id,)).await?;
        Ok(set.map_or_else(PasswordVersion::default, |set| set.version))
    }

    /// Makes the password useless: only a mailed link opens the account.
    pub(in crate::auth) async fn update_no_password(&mut self, id: UserId) -> Result<()> {
        let sql =
            "UPDATE vestibule_passwords SET hash = '', version = version + 1 WHERE user_id = $1";
        self.run(sql, (id,)).await?;
        Ok(())
    }

    /// Sets or removes the address that the user wants to change to.
    pub(in crate::auth) async fn update_new_email(
        &mut self,
        id: UserId,
        email: Option<&Email>,
    ) -> Result<()> {
        let typed = email.map(|email| email.as_str().to_owned());
        let key = email.map(|email| email.key().to_owned());
        let sql = "UPDATE vestibule_users SET new_email = $2, new_email_key = $3 WHERE id = $1";
        self.run(sql, (id, typed, key)).await?;
        Ok(())
    }

    /// Gives the account another address, which its owner has shown to be theirs. Returns `false` if another account
    /// has it. The user's row must be locked.
    pub(in crate::auth) async fn update_email(
        &mut self,
        id: UserId,
        email: &Email,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE vestibule_users SET email = $2, email_key = $3, email_verified_at = $4, email_refused_at = NULL, \
                   new_email = NULL, new_email_key = NULL WHERE id = $1 AND NOT EXISTS \
                   (SELECT 1 FROM vestibule_users AS others WHERE others.email_key = $3 AND others.id <> $1)";
        let params = (id, email.as_str().to_owned(), email.key().to_owned(), now);
        match self.run(sql, params).await {
            Ok(updated) => Ok(updated == 1),
            // Somebody else was faster.
            Err(error) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Disables an account, and has it erased later.
    pub(in crate::auth) async fn update_deletion(
        &mut self,
        id: UserId,
        now: Timestamp,
        delete_at: Timestamp,
    ) -> Result<()> {
        let sql = "UPDATE vestibule_users SET disabled_at = $2, delete_at = $3 WHERE id = $1";
        self.run(sql, (id, now, delete_at)).await?;
        Ok(())
    }

    /// Enables an account that its owner has deleted; returns `false` if there is none.
    pub(in crate::auth) async fn update_restored(&mut self, id: UserId) -> Result<bool> {
        let sql = "UPDATE vestibule_users SET disabled_at = NULL, delete_at = NULL \
                   WHERE id = $1 AND delete_at IS NOT NULL";
        Ok(self.run(sql, (id,)).await? == 1)
    }

    /// Makes the account an administrator's, or not; returns `false` if that changes nothing.
    pub(in crate::auth) async fn update_admin(
        &mut self,
        id: UserId,
        is_admin: bool,
    ) -> Result<bool> {
        let sql = "UPDATE vestibule_users SET is_admin = $2 WHERE id = $1 AND is_admin <> $2";
        Ok(self.run(sql, (id, is_admin)).await? == 1)
    }

    /// Deletes an account and everything of ours that belongs to it.
    pub(in crate::auth) async fn delete_user(&mut self, id: UserId) -> Result<bool> {
        Ok(self.run("DELETE FROM vestibule_users WHERE id = $1", (id,)).await? == 1)
    }
}
