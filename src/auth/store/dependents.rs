//! What others have built on the tables of version 0.1. This version replaces these tables; nothing of a host app is
//! deleted or broken with them, so a start refuses and says what is in the way.

use sqlx::{PgConnection, SqliteConnection};

use super::unusable::Unusable;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// The tables of version 0.1, as a list for SQL.
macro_rules! tables_0_1 {
    () => {
        "('users', 'sessions', 'renewed_sessions', 'tokens', 'used_tokens', 'outbox', 'throttle', 'events', \
         'health')"
    };
}

/// The same tables with all columns that a version 0.1.x gave them.
const COLUMNS_0_1: [(&str, &str); 9] = [
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

/// Fails if a table of version 0.1 has a foreign column, or if something else refers to one.
pub(super) async fn refuse_dependents_in_sqlite(conn: &mut SqliteConnection) -> Result<()> {
    let columns = concat!(
        "SELECT lower(m.name), lower(c.name) FROM sqlite_schema AS m JOIN pragma_table_xinfo(m.name) AS c \
         WHERE m.type = 'table' AND lower(m.name) IN ",
        tables_0_1!()
    );
    refuse_foreign_columns(sqlx::query_as(columns).fetch_all(&mut *conn).await?)?;
    // Dropping the table would delete the rows of the other one.
    let foreign_keys = concat!(
        "SELECT m.name FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f \
         WHERE m.type = 'table' AND lower(f.\"table\") IN ",
        tables_0_1!(),
        " AND lower(m.name) NOT IN ",
        tables_0_1!(),
        " LIMIT 1"
    );
    let found: Option<String> = sqlx::query_scalar(foreign_keys).fetch_optional(&mut *conn).await?;
    if let Some(table) = found {
        return Err(Unusable::DependsOnOldTables(format!("a foreign key of table {table}")).into());
    }
    // SQLite drops a table whatever views and triggers name it; they fail later.
    let others = "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('view', 'trigger')";
    let others: Vec<(String, String, String)> = sqlx::query_as(others).fetch_all(conn).await?;
    let found = others.into_iter().find(|(_, _, sql)| names_old_table(sql));
    found.map_or(Ok(()), |(kind, name, _)| {
        Err(Unusable::DependsOnOldTables(format!("{kind} {name}")).into())
    })
}

/// The same for PostgreSQL.
pub(super) async fn refuse_dependents_in_postgres(conn: &mut PgConnection) -> Result<()> {
    let columns = concat!(
        "SELECT CAST(relname AS TEXT), CAST(attname AS TEXT) FROM pg_class \
         JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped \
         WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relname IN ",
        tables_0_1!()
    );
    refuse_foreign_columns(sqlx::query_as(columns).fetch_all(&mut *conn).await?)?;
    // What would prevent dropping a table, and what would be dropped with it in silence.
    let dependents = concat!(
        "WITH ours AS (SELECT oid, reltype FROM pg_class \
         WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relname IN ",
        tables_0_1!(),
        "), types AS (SELECT t.oid FROM pg_type AS t JOIN ours ON t.oid = reltype OR t.typelem = reltype) \
         SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend \
         WHERE (refclassid = 'pg_class'::regclass AND refobjid IN (SELECT oid FROM ours) \
             OR refclassid = 'pg_type'::regclass AND refobjid IN (SELECT oid FROM types)) \
         AND (deptype = 'n' OR classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass, \
             'pg_publication_rel'::regclass)) \
         AND NOT (classid = 'pg_constraint'::regclass AND objid IN \
             (SELECT oid FROM pg_constraint WHERE conrelid IN (SELECT oid FROM ours))) LIMIT 1"
    );
    let found: Option<String> = sqlx::query_scalar(dependents).fetch_optional(conn).await?;
    found.map_or(Ok(()), |name| Err(Unusable::DependsOnOldTables(name).into()))
}

/// Fails if one of these columns (with their tables) is not of version 0.1: it would be dropped with its data.
fn refuse_foreign_columns(columns: Vec<(String, String)>) -> Result<()> {
    let is_known = |(table, column): &(String, String)| {
        let mut known = COLUMNS_0_1.iter().filter(|(name, _)| name == table);
        known.any(|(_, columns)| columns.split(' ').any(|name| name == column))
    };
    let foreign = columns.into_iter().find(|column| !is_known(column));
    foreign.map_or(Ok(()), |(table, column)| Err(Unusable::ForeignColumn { table, column }.into()))
}

/// Whether a table of version 0.1 may be meant: its name is a word of the statement.
fn names_old_table(sql: &str) -> bool {
    let sql = sql.to_lowercase();
    let mut words = sql.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|word| COLUMNS_0_1.iter().any(|(table, _)| *table == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_names_a_table_by_a_whole_word() {
        for sql in ["CREATE VIEW v AS SELECT 1 FROM \"Users\"", "… ON main.users BEGIN"] {
            assert!(names_old_table(sql), "{sql}");
        }
        for sql in ["SELECT 1 FROM app_users", "SELECT users2 FROM vestibule_users"] {
            assert!(!names_old_table(sql), "{sql}");
        }
    }
}
