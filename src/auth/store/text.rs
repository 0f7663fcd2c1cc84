//! Text that other programs may have written.

use sqlx::database::Database;
use sqlx::error::BoxDynError;
use sqlx::{Decode, Postgres, Sqlite, Type};

/// Text, or `None` if it is not UTF-8: SQLite accepts any bytes as text, and an import may have brought Latin-1.
/// Reading such a row must not be an error.
pub(super) struct AnyText(pub(super) Option<String>);

impl Type<Sqlite> for AnyText {
    fn type_info() -> <Sqlite as Database>::TypeInfo {
        <String as Type<Sqlite>>::type_info()
    }

    fn compatible(ty: &<Sqlite as Database>::TypeInfo) -> bool {
        <String as Type<Sqlite>>::compatible(ty)
    }
}

impl<'r> Decode<'r, Sqlite> for AnyText {
    fn decode(value: <Sqlite as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let bytes = <Vec<u8> as Decode<Sqlite>>::decode(value)?;
        Ok(Self(String::from_utf8(bytes).ok()))
    }
}

impl Type<Postgres> for AnyText {
    fn type_info() -> <Postgres as Database>::TypeInfo {
        <String as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &<Postgres as Database>::TypeInfo) -> bool {
        <String as Type<Postgres>>::compatible(ty)
    }
}

impl<'r> Decode<'r, Postgres> for AnyText {
    fn decode(value: <Postgres as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
        <String as Decode<Postgres>>::decode(value).map(|text| Self(Some(text)))
    }
}
