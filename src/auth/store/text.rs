//! Text that other programs may have written.

use sqlx::database::Database;
use sqlx::error::BoxDynError;
use sqlx::{Decode, Type};

/// Text, or `None` if it is not UTF-8: SQLite accepts any bytes as text, and an import may have brought Latin-1.
/// Reading such a row must not be an error.
pub(super) struct AnyText(pub(super) Option<String>);

impl<DB: Database> Type<DB> for AnyText
where
    String: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        String::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        String::compatible(ty)
    }
}

/// Reads it as bytes, which both engines can send.
impl<'r, DB: Database> Decode<'r, DB> for AnyText
where
    Vec<u8>: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(String::from_utf8(Vec::decode(value)?).ok()))
    }
}
