//! What others have built on the tables of version 0.1 in PostgreSQL.

use sqlx::PgConnection;

use crate::auth::store::dependents::{refuse_foreign_columns, tables_0_1};
use crate::auth::store::unusable::Unusable;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Fails if a table of version 0.1 has a foreign column, or if something else depends on one.
pub(super) async fn refuse_dependents(conn: &mut PgConnection) -> Result<()> {
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
