//! What others have built on the tables of version 0.1 in SQLite.

use sqlx::SqliteConnection;

use crate::auth::store::dependents::{COLUMNS_0_1, refuse_foreign_columns, tables_0_1};
use crate::auth::store::unusable::Unusable;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Fails if a table of version 0.1 has a foreign column, or if something else refers to one.
pub(super) async fn refuse_dependents(conn: &mut SqliteConnection) -> Result<()> {
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
