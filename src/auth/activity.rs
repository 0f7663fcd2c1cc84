//! What was recorded about an account, for its owner.

use uuid::Uuid;

use super::events::Event;
use super::{Auth, UserId};
use crate::Error;
use crate::clock::Timestamp;

/// An event of an account.
pub(crate) struct Activity {
    pub(crate) id: Uuid,
    pub(crate) at: Timestamp,
    pub(crate) event: Event,
    /// The client IP, or empty if the operator did it.
    pub(crate) ip: String,
    pub(crate) user_agent: String,
}

impl Auth {
    /// Lists events of a user, the newest first, that happened before another one.
    pub(crate) async fn activity(
        &self,
        user: UserId,
        before: Option<(Timestamp, Uuid)>,
        most: u32,
    ) -> Result<Vec<Activity>, Error> {
        let found = self.store.list_events_of(user, before, most).await?;
        // A newer version may have recorded other events.
        Ok(found
            .into_iter()
            .filter_map(|row| {
                let event = Event::parse(&row.kind)?;
                Some(Activity {
                    id: row.id,
                    at: row.at,
                    event,
                    ip: row.ip,
                    user_agent: row.user_agent,
                })
            })
            .collect())
    }
}
