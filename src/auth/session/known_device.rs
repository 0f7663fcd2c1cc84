//! Browsers that have opened an account before: strangers who guess its password must not lock its owner out.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use uuid::Uuid;

use crate::auth::UserId;
use crate::auth::password::PasswordVersion;
use crate::clock::{CLOCKS_DIFFER, Timestamp};

/// Proof that this browser opened an account. It is stored in a sealed cookie, and `id` is the key of its own
/// bucket for failed attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownDevice {
    pub(crate) user: UserId,
    pub(in crate::auth) id: Uuid,
    /// The version of the password it signed in with; void once that has changed.
    pub(in crate::auth) password: PasswordVersion,
    /// When it last signed in. The browser may keep the cookie for any time.
    pub(in crate::auth) at: Timestamp,
}

/// How long a browser stays known after it signed in.
pub(crate) const KNOWN_FOR: Duration = Duration::from_hours(180 * 24);

/// The maximum number of accounts per browser.
const MOST: usize = 5;

impl KnownDevice {
    /// A device that has just opened the account. A browser that did so before keeps its ID and its bucket:
    /// otherwise each sign-in would give a collector of cookies five more attempts.
    pub(in crate::auth) fn new(
        user: UserId,
        password: PasswordVersion,
        known: &[Self],
        now: Timestamp,
    ) -> Self {
        let same = known.iter().find(|device| device.opened(user, password, now));
        let id = same.map_or_else(Uuid::now_v7, |device| device.id);
        Self { user, id, password, at: now }
    }

    /// The same device, of a browser that was known until this version replaced the one before; `None` for any other. It
    /// keeps its bucket, and a void one stays void: what is handed out without the password must bring no further
    /// attempts.
    pub(in crate::auth) fn renewed(
        user: UserId,
        password: PasswordVersion,
        known: &[Self],
        now: Timestamp,
    ) -> Option<Self> {
        let same = known.iter().find(|device| device.opened(user, password.before(), now))?;
        Some(Self { password, ..same.clone() })
    }

    /// Whether it opened this account with this password, recently enough.
    pub(in crate::auth) fn opened(
        &self,
        user: UserId,
        password: PasswordVersion,
        now: Timestamp,
    ) -> bool {
        let is_recent = self.at + KNOWN_FOR > now && self.at <= now + CLOCKS_DIFFER;
        self.user == user && self.password == password && is_recent
    }

    /// Whether it opened this account, perhaps with an earlier password.
    pub(in crate::auth) fn has_opened(&self, user: UserId, now: Timestamp) -> bool {
        self.opened(user, self.password, now)
    }

    /// Parses the cookie; skips invalid entries.
    pub(crate) fn read_all(text: &str) -> Vec<Self> {
        text.split('~').filter_map(|part| part.parse().ok()).take(MOST).collect()
    }

    /// `self`, followed by those of `others` that belong to other accounts.
    pub(crate) fn before(self, others: &[Self]) -> Vec<Self> {
        let others = others.iter().filter(|other| other.user != self.user).cloned();
        let user = self.clone();
        std::iter::once(user).chain(others).take(MOST).collect()
    }

    /// The value of the cookie.
    pub(crate) fn write_all(devices: &[Self]) -> String {
        devices.iter().map(ToString::to_string).collect::<Vec<_>>().join("~")
    }
}

impl fmt::Display for KnownDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, id, password, at } = self;
        write!(f, "{user}.{}.{password}.{}", id.simple(), at.as_millis())
    }
}

impl FromStr for KnownDevice {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(());
        let (user, id, password, at) = (part()?, part()?, part()?, part()?);
        Ok(Self {
            user: user.parse().map_err(|_| ())?,
            id: Uuid::try_parse(id).map_err(|_| ())?,
            password: password.parse().map_err(|_| ())?,
            at: Timestamp::from_millis(at.parse().map_err(|_| ())?),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_browser_is_known_for_its_last_five_accounts() {
        let mut known = Vec::new();
        let users: Vec<UserId> = (0..7).map(|_| UserId::new()).collect();
        let (version, now) = (PasswordVersion::default(), Timestamp::from_millis(0));
        for user in &users {
            known = KnownDevice::new(*user, version, &known, now).before(&known);
        }
        assert_eq!(known.len(), 5);
        assert_eq!(known[0].user, users[6]);
        assert_eq!(KnownDevice::read_all(&KnownDevice::write_all(&known)), known);
        let again = KnownDevice::new(users[4], version, &known, now).before(&known);
        assert_eq!((again.len(), &again[0]), (5, &known[2]), "the same device as before");
        assert_eq!(KnownDevice::read_all("nonsense~~a.b.c~"), []);
    }

    /// Promises 28 and 66.
    #[test]
    fn a_browser_is_known_for_half_a_year_whatever_the_clock_does() {
        let (user, version) = (UserId::new(), PasswordVersion::default());
        let now = Timestamp::from_millis(1_800_000_000_000);
        let device = KnownDevice::new(user, version, &[], now);
        let day = Duration::from_hours(24);
        assert!(device.opened(user, version, now + 179 * day));
        assert!(!device.opened(user, version, now + 180 * day));
        assert!(!device.opened(user, version, now - day), "made in the future");
        assert!(!device.opened(UserId::new(), version, now));
    }

    proptest! {
        #[test]
        fn any_cookie_is_survived(text in "\\PC{0,200}|([0-9a-f-]{36}\\.[0-9a-f]{32}\\.[0-9]{1,20}~?){0,8}") {
            let devices = KnownDevice::read_all(&text);
            prop_assert!(devices.len() <= MOST);
            prop_assert_eq!(KnownDevice::read_all(&KnownDevice::write_all(&devices)), devices);
        }
    }
}
