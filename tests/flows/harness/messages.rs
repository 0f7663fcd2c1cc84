//! The emails that were sent, and a check that each of them had a cause.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::rc::Rc;

use uuid::Uuid;
use vestibule::{Mailbox, SentMessage};

use super::app::TestApp;
use super::{bystander, mount};

/// The emails of all nodes of a test, and which of them the test has read.
#[derive(Clone, Default)]
pub struct Inbox {
    pub sent: Mailbox,
    read: Rc<RefCell<BTreeSet<Uuid>>>,
    does_not_matter: Rc<Cell<bool>>,
}

impl Inbox {
    /// All emails, oldest first.
    fn all(&self) -> Vec<Email> {
        let mut sent = self.sent.messages();
        sent.sort_by_key(|email| email.id);
        sent.into_iter().map(Email).collect()
    }

    fn is_read(&self, email: &Email) -> bool {
        self.read.borrow().contains(&email.id)
    }
}

impl TestApp {
    /// Sends the emails that are due, and returns all that were sent.
    pub fn emails(&self) -> Vec<Email> {
        self.run_jobs();
        let all = self.inbox.all();
        self.inbox.read.borrow_mut().extend(all.iter().map(|email| email.id));
        all
    }

    /// The last email that was sent. Does not mark the others as read.
    pub fn last_email(&self) -> Email {
        self.run_jobs();
        let last = self.inbox.all().pop().expect("an email was sent");
        self.inbox.read.borrow_mut().insert(last.id);
        last
    }

    /// For a test whose emails are not checked.
    pub fn emails_do_not_matter(&self) {
        self.inbox.does_not_matter.set(true);
    }

    /// Checks the emails at the end of a test: each notice has an event of its account; each email with a link was
    /// read, or belongs to a sign-up of its account. An email too many, or to the wrong person, fails the test.
    pub(super) fn every_email_has_a_cause(&self) {
        let of_accounts = "SELECT email_key || ' ' || kind FROM vestibule_users u \
                           JOIN vestibule_events ON u.id = user_id";
        let asked =
            "SELECT kind FROM vestibule_events WHERE kind IN ('password-reset-asked', 'not-me')";
        // Some tests leave a database that cannot be read or written.
        let found = self.try_all(&[of_accounts, asked].map(str::to_owned));
        let [Some(events), Some(asked)] = &found[..] else { return };
        let _ = self.try_run_jobs();
        let all = self.inbox.all();
        assert!(all.iter().all(|email| email.to != bystander::EMAIL), "{all:?}");
        if self.inbox.does_not_matter.get() {
            return;
        }
        let resets = all.iter().filter(|email| email.subject.starts_with("Reset")).count();
        assert!(resets <= asked.len(), "nobody has asked for all of these: {all:?}");
        for email in &all {
            let (kinds, may_be_read): (&[&str], _) = match email.subject.split(' ').next() {
                Some("Your") if email.subject.starts_with("Your account") => (&["created"], true),
                Some("Your") if email.subject.starts_with("Your invitation") => (&[], true),
                Some("Your") if email.subject.contains("email address") => {
                    (&["email-changed", "email-undone"], true)
                }
                Some("Your") if email.subject.contains("account") => (&["deletion-asked"], true),
                Some("Your") => (&["password-changed", "password-reset"], false),
                Some("Confirm") => (&["signed-up"], true),
                Some("New") => (&["signed-in"], false),
                _ => (&[], true),
            };
            let causes = kinds.iter().map(|kind| format!("{} {kind}", email.to.to_lowercase()));
            let times: usize = causes.map(|c| events.iter().filter(|e| **e == c).count()).sum();
            let alike = all.iter().filter(|l| l.to == email.to && l.subject == email.subject);
            assert!(
                may_be_read && self.inbox.is_read(email) || alike.count() <= times,
                "nothing has brought this about, and nobody has read it: {email:?}"
            );
        }
    }
}

/// An email as its recipient reads it.
#[derive(Debug)]
pub struct Email(SentMessage);

impl Email {
    /// The path of the link.
    pub fn link(&self) -> String {
        let at = self.text.find("http://localhost:8000/").expect("the email has a link");
        let path = &self.text[at + "http://localhost:8000".len()..];
        let path = path.split_whitespace().next().unwrap();
        match mount::base() {
            Some(base) => {
                path.strip_prefix(&base).map_or_else(|| format!("/lost{path}"), str::to_owned)
            }
            None => path.to_owned(),
        }
    }

    /// The token in the link.
    pub fn token(&self) -> String {
        self.link().rsplit('/').next().unwrap().to_owned()
    }
}

impl Deref for Email {
    type Target = SentMessage;
    fn deref(&self) -> &SentMessage {
        &self.0
    }
}
