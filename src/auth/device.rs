//! Browsers that have opened an account before: strangers who guess at its password must not keep its
//! owner out.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::UserId;
use super::password::PasswordVersion;

/// That this browser opened an account. It travels in a sealed cookie and has a bucket of its own for
/// failed tries, keyed by `id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(in crate::auth) user: UserId,
    pub(in crate::auth) id: Uuid,
    /// With which password it opened the account; void once there is another.
    pub(in crate::auth) password: PasswordVersion,
}

/// Most accounts that one browser is known for.
const MOST: usize = 5;

impl Device {
    pub(in crate::auth) fn new(user: UserId, password: PasswordVersion) -> Self {
        Self { user, id: Uuid::now_v7(), password }
    }

    /// Reads what the cookie holds; what is no device is left out.
    pub(in crate::auth) fn read_all(text: &str) -> Vec<Self> {
        text.split('~').filter_map(|part| part.parse().ok()).take(MOST).collect()
    }

    /// `self` and, after it, those of `others` that are for other accounts.
    pub(in crate::auth) fn before(self, others: &[Self]) -> Vec<Self> {
        let others = others.iter().filter(|other| other.user != self.user).cloned();
        let user = self.clone();
        std::iter::once(user).chain(others).take(MOST).collect()
    }

    /// What the cookie holds.
    pub(in crate::auth) fn write_all(devices: &[Self]) -> String {
        devices.iter().map(ToString::to_string).collect::<Vec<_>>().join("~")
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.user, self.id.simple(), self.password)
    }
}

impl FromStr for Device {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(());
        let (user, id, password) = (part()?, part()?, part()?);
        Ok(Self {
            user: user.parse()?,
            id: Uuid::try_parse(id).map_err(|_| ())?,
            password: password.parse().map_err(|_| ())?,
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
        let version = PasswordVersion::default();
        for user in &users {
            known = Device::new(*user, version).before(&known);
        }
        assert_eq!(known.len(), 5);
        assert_eq!(known[0].user, users[6]);
        assert_eq!(Device::read_all(&Device::write_all(&known)), known);
        let again = Device::new(users[4], version).before(&known);
        assert_eq!((again.len(), again[0].user), (5, users[4]));
        assert_eq!(Device::read_all("nonsense~~a.b.c~"), []);
    }

    proptest! {
        #[test]
        fn any_cookie_is_survived(text in "\\PC{0,200}|([0-9a-f-]{36}\\.[0-9a-f]{32}\\.[0-9]{1,20}~?){0,8}") {
            let devices = Device::read_all(&text);
            prop_assert!(devices.len() <= MOST);
            prop_assert_eq!(Device::read_all(&Device::write_all(&devices)), devices);
        }
    }
}
