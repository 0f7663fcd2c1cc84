//! What others have built on the tables of version 0.1. This version replaces these tables; nothing of a host app is
//! deleted or broken with them, so a start refuses and says what is in the way.

use super::unusable::Unusable;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// The tables of version 0.1, as a list for SQL.
macro_rules! tables_0_1 {
    () => {
        "('users', 'sessions', 'renewed_sessions', 'tokens', 'used_tokens', 'outbox', 'throttle', 'events', \
         'health')"
    };
}
pub(super) use tables_0_1;

/// The same tables with all columns that a version 0.1.x gave them.
pub(super) const COLUMNS_0_1: [(&str, &str); 9] = [
    (
        "users",
        "id email email_key name password_hash email_verified_at disabled_at created_at devices_valid_from \
         password_version signed_up_key signed_up_millis",
    ),
    (
        "sessions",
        "digest id user_id remembered created_at last_seen_at proved_at expires_at address user_agent",
    ),
    ("renewed_sessions", "digest session_id user_id renewed_at"),
    ("tokens", "digest purpose user_id sent_to created_at expires_at letter_id"),
    ("used_tokens", "digest purpose user_id used_at"),
    (
        "outbox",
        "id letter user_id email_key device network attempts created_at due_at uncounted_key priority site_key \
         domain_key refusals",
    ),
    ("throttle", "key tries closed_until forget_at"),
    ("events", "id at kind user_id address user_agent"),
    ("health", "checked_at padding key_fingerprint swept_at"),
];

/// Fails if one of these columns (with their tables) is not of version 0.1: it would be dropped with its data.
pub(super) fn refuse_foreign_columns(columns: Vec<(String, String)>) -> Result<()> {
    let is_known = |(table, column): &(String, String)| {
        let mut known = COLUMNS_0_1.iter().filter(|(name, _)| name == table);
        known.any(|(_, columns)| columns.split(' ').any(|name| name == column))
    };
    let foreign = columns.into_iter().find(|column| !is_known(column));
    foreign.map_or(Ok(()), |(table, column)| Err(Unusable::ForeignColumn { table, column }.into()))
}
