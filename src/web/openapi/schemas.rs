//! The schemas of what no derive can describe: the types of fields, as their parsers read them.

use std::borrow::Cow;

use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Components, KnownFormat, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::{Password, Purpose};
use crate::web::cursor::Cursor;
use crate::web::forms::{Attempt, Ticked, Typed};

/// Stand for public types, which do not show the app that a library describes them.
pub(in crate::web) enum Email {}
pub(in crate::web) enum Name {}
pub(in crate::web) enum Time {}

macro_rules! schemas {
    ($($Type:ty: $name:literal = $object:expr;)*) => {
        $(
            impl PartialSchema for $Type {
                fn schema() -> RefOr<Schema> {
                    $object.build().into()
                }
            }

            impl ToSchema for $Type {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed($name)
                }
            }
        )*
    };
}

schemas! {
    Email: "Email" = text("An email address. The part before the `@` is ASCII; the domain may be international.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::IdnEmail)))
        .max_length(Some(254));
    Password: "NewPassword" = text("A new password: one that is guessed easily is refused (`weak-password`).")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .max_length(Some(Password::MAX_CHARS));
    Attempt: "Password" = text("The password of the account.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .min_length(Some(1));
    Name: "Name" = text("A display name: one line without control characters. An empty one is none.")
        .max_length(Some(100))
        .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"));
    Typed: "Text" = text("Text that is not empty.").min_length(Some(1));
    Ticked: "Ticked" = ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .description(Some("Whether a box is ticked."));
    Cursor: "Cursor" = text("Where a list goes on.").pattern(Some("^[0-9]+\\.[0-9a-f]{32}$"));
    Time: "Time" = text("A time (RFC 3339) in UTC, with whole seconds.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    Purpose: "Purpose" = text("What a mailed link does: the first part of its path.")
        .enum_values(Some(Purpose::ALL.iter().map(|purpose| purpose.as_str())));
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

/// The settings decide how long a password must be.
pub(super) fn tell_shortest_password(components: &mut Components, fewest: usize) {
    let schema = components.schemas.get_mut(&*Password::name());
    if let Some(RefOr::T(Schema::Object(Object { min_length, .. }))) = schema {
        *min_length = Some(fewest);
    }
}
