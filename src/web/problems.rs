//! The kinds of problems that programs tell apart (RFC 9457): the only list of them, from which responses, their schema
//! and the documentation come.

use std::collections::BTreeMap;
use std::fmt::Write;

use rocket::http::Status;
use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::Wait;

macro_rules! kinds {
    ($($Kind:ident = $name:literal, $status:literal, $title:literal;)*) => {
        /// A kind of problem. Its name never changes: programs compare it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::web) enum Kind {
            $(#[doc = $title] $Kind,)*
        }

        impl Kind {
            const ALL: &[Self] = &[$(Self::$Kind,)*];

            /// The URN: the same on every host. It leads nowhere.
            const fn urn(self) -> &'static str {
                match self {
                    $(Self::$Kind => concat!("urn:vestibule:problem:", $name),)*
                }
            }

            /// The statuses with which it comes.
            const fn statuses(self) -> &'static str {
                match self {
                    $(Self::$Kind => $status,)*
                }
            }

            /// What it means, the same each time.
            const fn title(self) -> &'static str {
                match self {
                    $(Self::$Kind => $title,)*
                }
            }
        }
    };
}

kinds! {
    InvalidFields = "invalid-fields", "400", "A field is missing or not valid";
    WeakPassword = "weak-password", "400", "The new password can be guessed";
    WrongPassword = "wrong-password", "400", "The password is not the one of the account";
    SameEmail = "same-email", "400", "The account has this address already";
    EmailTaken = "email-taken", "400, 409", "Another account has this address";
    OtherDomain = "other-domain", "400", "Addresses of this domain are not for accounts here";
    DeadLink = "dead-link", "400", "The link was used, has expired, or never existed";
    BadRequest = "bad-request", "400", "The request cannot be read";
    WrongCredentials = "wrong-credentials", "401", "No account has this address and password";
    NotSignedIn = "not-signed-in", "401", "There is no session, or it has ended";
    LoginTooOld = "login-too-old", "401", "The password has to be given again first";
    CrossSite = "cross-site", "403", "A page of another website sent the request";
    SignUpNotOpen = "sign-up-not-open", "403", "Not everybody may sign up";
    Forbidden = "forbidden", "403", "The user may not do this";
    NoSuchSession = "no-such-session", "404", "The user has no session with this ID";
    UnknownEmail = "unknown-email", "404", "No account has this address";
    NotFound = "not-found", "404", "There is nothing at this path";
    MethodNotAllowed = "method-not-allowed", "405", "The path does not have this method";
    AccountInUse = "account-in-use", "409", "The app still needs the account";
    TooLarge = "too-large", "413", "The body is too large";
    UnsupportedMediaType = "unsupported-media-type", "415", "The body is neither a form nor JSON";
    TooManyAttempts = "too-many-attempts", "429", "There were too many attempts";
    TooManySignUps = "too-many-sign-ups", "429", "Too many have signed up from this network";
    TooManyEmails = "too-many-emails", "429", "Too many emails were asked for";
    HeadersTooLarge = "headers-too-large", "431", "The headers are too large";
    InternalError = "internal-error", "500", "The service has failed";
    Unavailable = "unavailable", "503", "The service cannot do this right now";
}

impl Kind {
    /// The kind of what is known by its status alone.
    pub(in crate::web) const fn of_status(status: Status) -> Self {
        match status.code {
            401 => Self::NotSignedIn,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            413 => Self::TooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::TooManyAttempts,
            431 => Self::HeadersTooLarge,
            503 => Self::Unavailable,
            500.. => Self::InternalError,
            _ => Self::BadRequest,
        }
    }

    /// All kinds, as a table in Markdown.
    pub(in crate::web) fn table() -> String {
        let mut table = String::from("| `type` | Status | Meaning |\n|---|---|---|\n");
        for kind in Self::ALL {
            let (urn, statuses, title) = (kind.urn(), kind.statuses(), kind.title());
            let name = urn.rsplit(':').next().unwrap_or(urn);
            let _ = writeln!(table, "| `{name}` | {statuses} | {title} |");
        }
        table
    }
}

impl From<Wait> for Kind {
    fn from(wait: Wait) -> Self {
        match wait {
            Wait::TooManyAttempts(_) => Self::TooManyAttempts,
            Wait::SignUps(_) => Self::TooManySignUps,
            Wait::Messages(_) => Self::TooManyEmails,
            Wait::Busy(_) | Wait::Outbox(_) => Self::Unavailable,
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.urn())
    }
}

/// Names all kinds as examples: a later version may have more, which a client written today must be able to read.
impl PartialSchema for Kind {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("uri".to_owned())))
            .pattern(Some("^urn:vestibule:problem:[a-z-]+$"))
            .description(Some("The kind of problem. A later version may have more of them."))
            .examples(Self::ALL.iter().map(|kind| kind.urn()))
            .into()
    }
}

impl ToSchema for Kind {
    fn name() -> std::borrow::Cow<'static, str> {
        "ProblemType".into()
    }
}

/// Why the request was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Problem<'a> {
    #[serde(rename = "type")]
    kind: Kind,
    /// What the type means, in English.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// What happened this time, in a sentence for users.
    detail: &'a str,
    /// The messages by field, if fields are what is wrong.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    errors: BTreeMap<&'a str, Vec<&'a str>>,
    /// For an error of the service: the reference under which it is in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reference: Option<&'a str>,
}

impl<'a> Problem<'a> {
    pub(in crate::web) fn new(
        kind: Kind,
        status: Status,
        detail: &'a str,
        fields: &'a [(String, String)],
        reference: Option<&'a str>,
    ) -> Self {
        let mut errors: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, message) in fields {
            errors.entry(name.as_str()).or_default().push(message.as_str());
        }
        Self { kind, title: kind.title(), status: status.code, detail, errors, reference }
    }
}
