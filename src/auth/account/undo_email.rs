//! Putting back an address that somebody else has changed: whoever reads the old mailbox takes the account back.

use crate::auth::events::Event;
use crate::auth::link::{OpenedLink, Purpose};
use crate::auth::{Auth, Client, LinkToken, Refused};
use crate::mail::Message;

/// Why an address is not put back.
pub(crate) enum CannotUndo {
    /// The link was used, has expired, or an older one was used.
    DeadLink,
    /// It was put back by this link a moment ago: the form was sent twice.
    JustDone,
}

impl Auth {
    /// Uses the link up and puts the address back, whatever happened since: another password, other addresses, even
    /// the deletion of the account. Everything that a thief may hold is void: sessions, links, known browsers and
    /// the password. Returns the secret of a link to choose a new one.
    pub(crate) async fn undo_email_change(
        &self,
        link: &OpenedLink,
        client: &Client,
    ) -> Result<LinkToken, Refused<CannotUndo>> {
        let OpenedLink { token, user: Some(user), .. } = link else {
            return self.undo_again(link).await;
        };
        let reset = LinkToken::new()?;
        let mut change = self.begin_change(client).await?;
        let now = change.now;
        change.lock_account(user.id).await?;
        let sent = change.take_link(token.digest(), Purpose::EmailUndo, user.id, now).await?;
        let id = sent.and_then(|sent| sent.payload).and_then(|id| id.parse().ok());
        let former = match id {
            Some(id) => change.find_former_email(id, user.id, now).await?,
            None => None,
        };
        let Some((former, replaced)) = former.zip(change.find_account(user.id).await?) else {
            change.rollback().await;
            return self.undo_again(link).await;
        };
        let was_deleted = change.update_restored(user.id).await?;
        if (replaced.disabled_at.is_some() && !was_deleted)
            || !change.update_email(user.id, &former.email, now).await?
        {
            change.rollback().await;
            return self.undo_again(link).await;
        }
        change.delete_former_emails_since(user.id, &former).await?;
        change.delete_messages_for(user.id, Message::EmailChange.as_str()).await?;
        change.update_no_password(user.id).await?;
        self.forget_attempts(&mut change, &former.email).await?;
        change.delete_sessions_of(user.id).await?;
        change.delete_renewed_sessions_of(user.id).await?;
        change.delete_links_of(user.id).await?;
        change.delete_links_for(user.id, Purpose::NotMe).await?;
        change.delete_links_for(user.id, Purpose::AccountRestore).await?;
        // Whoever reads the other mailbox may be the owner, and the one at the old mailbox somebody else; or a thief, who
        // gets no link.
        if replaced.email.key() != former.email.key() {
            change.mail(self.message(Message::EmailReplaced, &replaced, client)).await?;
        }
        let next = self.new_link(Purpose::PasswordReset, &reset, user.id, &former.email, None);
        change.insert_link(&next, i64::MAX).await?;
        change.changes_user(user.id);
        change.record(Event::EmailUndone, Some(user.id)).await?;
        change.commit().await?;
        Ok(reset)
    }

    /// The form was sent twice, or the link is dead. The secret of the other answer is not known any more.
    async fn undo_again(&self, link: &OpenedLink) -> Result<LinkToken, Refused<CannotUndo>> {
        let is_done = self.was_just_used(link).await?;
        Err(Refused::Because(if is_done { CannotUndo::JustDone } else { CannotUndo::DeadLink }))
    }
}
