//! "This wasn't me": the owner of an account stops whoever is in it, from the link in any notice.

use crate::auth::events::Event;
use crate::auth::link::{OpenedLink, Purpose};
use crate::auth::{Auth, Client, Refused};
use crate::mail::Message;

/// The link was used, has expired, or never existed.
pub(crate) struct CannotReport;

impl Auth {
    /// Uses the link up, ends all sessions of the account and mails a link to reset its password. Whoever else opens
    /// the link can do that, and nothing more.
    pub(crate) async fn report_not_me(
        &self,
        link: &OpenedLink,
        client: &Client,
    ) -> Result<(), Refused<CannotReport>> {
        let OpenedLink { token, user: Some(user), .. } = link else {
            return self.report_again(link).await;
        };
        let mut change = self.begin_change(client).await?;
        let now = change.now;
        let is_there = change.lock_user(user.id).await?;
        let sent = change.take_link(token.digest(), Purpose::NotMe, user.id, now).await?;
        let Some(user) = change.find_account(user.id).await?.filter(|_| is_there && sent.is_some())
        else {
            change.rollback().await;
            return self.report_again(link).await;
        };
        change.update_password_version(user.id).await?;
        change.forget_new_email(user.id).await?;
        change.delete_sessions_of(user.id).await?;
        change.delete_renewed_sessions_of(user.id).await?;
        // The new link must not be one too many.
        change.delete_links_of(user.id).await?;
        change.mail(self.message(Message::PasswordReset, &user, client)).await?;
        change.changes_user(user.id);
        change.record(Event::NotMe, Some(user.id)).await?;
        Ok(change.commit().await?)
    }

    /// The form was sent twice, or the link is dead.
    async fn report_again(&self, link: &OpenedLink) -> Result<(), Refused<CannotReport>> {
        if self.was_just_used(link).await? { Ok(()) } else { Err(Refused::Because(CannotReport)) }
    }
}
