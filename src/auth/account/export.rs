//! Everything that is stored about an account, for its owner. A test compares it with the tables.

use serde::Serialize;
use uuid::Uuid;

use crate::auth::{Activity, Auth, Session, User};
use crate::clock::Timestamp;
use crate::{Error, SessionInfo};

/// Events are read in pages of this many.
const A_PAGE: u32 = 1000;

/// Everything about an account, without secrets and their digests.
#[derive(Serialize)]
pub(crate) struct Export {
    exported_at: Timestamp,
    account: User,
    has_password: bool,
    former_emails: Vec<FormerEmailExport>,
    sessions: Vec<SessionExport>,
    /// Mailed links that can still be opened, except to a new address.
    links: Vec<LinkExport>,
    /// Emails that have not left yet.
    waiting_emails: Vec<MessageExport>,
    events: Vec<EventExport>,
}

/// A verified address that the account had, and can have back.
#[derive(Serialize, sqlx::FromRow)]
pub(in crate::auth) struct FormerEmailExport {
    email: String,
    changed_at: Timestamp,
    undo_until: Timestamp,
}

#[derive(Serialize)]
struct SessionExport {
    id: Uuid,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    ip: String,
    user_agent: String,
}

#[derive(Serialize, sqlx::FromRow)]
pub(in crate::auth) struct LinkExport {
    purpose: String,
    recipient: String,
    created_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Serialize, sqlx::FromRow)]
pub(in crate::auth) struct MessageExport {
    message: String,
    recipient: String,
    device: String,
    ip: String,
    created_at: Timestamp,
}

#[derive(Serialize)]
struct EventExport {
    at: Timestamp,
    event: &'static str,
    ip: String,
    user_agent: String,
}

impl From<SessionInfo> for SessionExport {
    fn from(info: SessionInfo) -> Self {
        let SessionInfo { id, created_at, last_seen_at, ip, user_agent } = info;
        Self { id, created_at, last_seen_at, ip, user_agent }
    }
}

impl From<Activity> for EventExport {
    fn from(Activity { at, event, ip, user_agent, .. }: Activity) -> Self {
        Self { at, event: event.as_str(), ip, user_agent }
    }
}

impl Auth {
    /// Collects everything about the account of the signed-in user.
    pub(crate) async fn export(&self, session: &Session) -> Result<Export, Error> {
        let account = session.user.clone();
        let id = account.id;
        let mut events: Vec<EventExport> = Vec::new();
        let mut before = None;
        loop {
            let found = self.activity(id, before, A_PAGE).await?;
            before = found.last().map(|last| (last.at, last.id));
            let is_last = found.len() < A_PAGE as usize;
            events.extend(found.into_iter().map(EventExport::from));
            if is_last {
                break;
            }
        }
        Ok(Export {
            exported_at: self.clock.now(),
            has_password: self.store.has_password(id).await?,
            former_emails: self.store.list_former_emails(id).await?,
            sessions: self.sessions_of(id).await?.into_iter().map(SessionExport::from).collect(),
            links: self.store.list_links(id, self.clock.now()).await?,
            waiting_emails: self.store.list_messages(id).await?,
            events,
            account,
        })
    }
}
