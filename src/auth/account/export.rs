//! Everything that is stored about an account, for its owner. A test compares it with the tables.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::store::EventRow;
use crate::auth::sweep::MOST_EVENTS_OF_ONE;
use crate::auth::{Auth, Email, Name, Session, User, UserId};
use crate::clock::Timestamp;
use crate::{Error, SessionInfo};

/// Everything about an account, without secrets and their digests.
#[derive(Serialize, ToSchema)]
pub(crate) struct Export {
    #[schema(value_type = String, format = DateTime)]
    exported_at: Timestamp,
    account: AccountExport,
    has_password: bool,
    former_emails: Vec<FormerEmailExport>,
    sessions: Vec<SessionExport>,
    /// Mailed links that can still be opened, except to a new address.
    links: Vec<LinkExport>,
    /// Emails that have not left yet.
    waiting_emails: Vec<MessageExport>,
    /// The newest: an account may have many, and the file must not cost more than other requests.
    events: Vec<EventExport>,
}

/// The account itself.
#[derive(Serialize, ToSchema)]
struct AccountExport {
    #[schema(value_type = Uuid)]
    id: UserId,
    #[schema(value_type = String)]
    email: Email,
    #[schema(required, value_type = Option<String>)]
    name: Option<Name>,
    #[schema(required, value_type = Option<String>, format = DateTime)]
    email_verified_at: Option<Timestamp>,
    #[schema(required, value_type = Option<String>, format = DateTime)]
    email_refused_at: Option<Timestamp>,
    #[schema(required, value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
    #[schema(required, value_type = Option<String>, format = DateTime)]
    delete_at: Option<Timestamp>,
    #[schema(required, value_type = Option<String>)]
    new_email: Option<Email>,
    is_admin: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A verified address that the account had, and can have back.
#[derive(Serialize, sqlx::FromRow, ToSchema)]
pub(in crate::auth) struct FormerEmailExport {
    email: String,
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    undo_until: Timestamp,
}

/// A device that is signed in.
#[derive(Serialize, ToSchema)]
struct SessionExport {
    id: Uuid,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    ip: String,
    user_agent: String,
}

/// A mailed link.
#[derive(Serialize, sqlx::FromRow, ToSchema)]
pub(in crate::auth) struct LinkExport {
    purpose: String,
    recipient: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// An email that has not left yet.
#[derive(Serialize, sqlx::FromRow, ToSchema)]
pub(in crate::auth) struct MessageExport {
    message: String,
    recipient: String,
    device: String,
    ip: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Something that happened to the account.
#[derive(Serialize, ToSchema)]
struct EventExport {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    event: String,
    ip: String,
    user_agent: String,
}

impl From<User> for AccountExport {
    fn from(user: User) -> Self {
        let User { id, email, name, email_verified_at, email_refused_at, .. } = user;
        let User { disabled_at, delete_at, new_email, is_admin, created_at, .. } = user;
        Self {
            id,
            email,
            name,
            email_verified_at,
            email_refused_at,
            disabled_at,
            delete_at,
            new_email,
            is_admin,
            created_at,
        }
    }
}

impl From<SessionInfo> for SessionExport {
    fn from(info: SessionInfo) -> Self {
        let SessionInfo { id, created_at, last_seen_at, ip, user_agent } = info;
        Self { id, created_at, last_seen_at, ip, user_agent }
    }
}

impl From<EventRow> for EventExport {
    fn from(EventRow { at, kind, ip, user_agent, .. }: EventRow) -> Self {
        Self { at, event: kind, ip, user_agent }
    }
}

impl Auth {
    /// Collects everything about the account of the signed-in user.
    pub(crate) async fn export(&self, session: &Session) -> Result<Export, Error> {
        let account = session.user.clone();
        let id = account.id;
        let events = self.store.list_events_of(id, None, MOST_EVENTS_OF_ONE).await?;
        Ok(Export {
            exported_at: self.clock.now(),
            has_password: self.store.has_password(id).await?,
            former_emails: self.store.list_former_emails(id).await?,
            sessions: self.sessions_of(id).await?.into_iter().map(SessionExport::from).collect(),
            links: self.store.list_links(id, self.clock.now()).await?,
            waiting_emails: self.store.list_messages(id).await?,
            events: events.into_iter().map(EventExport::from).collect(),
            account: account.into(),
        })
    }
}
