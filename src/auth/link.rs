//! Mailed links.

use super::User;

/// A link that somebody has followed, looked up once for the whole request.
pub(crate) struct OpenedLink<T> {
    /// Its secret.
    pub(crate) token: T,
    /// Whose it is; `None` if it was used, is too old, or never was one.
    pub(crate) user: Option<User>,
}
