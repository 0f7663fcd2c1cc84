//! Enums whose variants have names in the database, in cookies or in the log.

/// An enum with the name of each variant. Nothing else lists the variants, so that a new one cannot be forgotten.
macro_rules! named_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $Enum:ident {
            $($(#[$doc:meta])* $Variant:ident = $name:literal,)*
        }
    ) => {
        $(#[$meta])*
        $vis enum $Enum {
            $($(#[$doc])* $Variant,)*
        }

        impl $Enum {
            /// Its name.
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)*
                }
            }

            /// The variant of this name; `None` if a newer version has written it, or somebody else.
            $vis fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$Variant),)*
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use named_enum;
