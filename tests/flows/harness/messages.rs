//! Messages that left, and whether each of them had a cause and a reader.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::rc::Rc;

use uuid::Uuid;
use vestibule::{Mailbox, SentMessage};

use super::app::TestApp;
use super::bystander;

/// Where all nodes of a story send to, and what the story has read of it.
#[derive(Clone, Default)]
pub struct Inbox {
    pub sent: Mailbox,
    read: Rc<RefCell<BTreeSet<Uuid>>>,
    does_not_matter: Rc<Cell<bool>>,
}

impl Inbox {
    /// All of it, oldest first.
    fn all(&self) -> Vec<Letter> {
        let mut sent = self.sent.messages();
        sent.sort_by_key(|letter| letter.id);
        sent.into_iter().map(Letter).collect()
    }

    fn is_read(&self, letter: &Letter) -> bool {
        self.read.borrow().contains(&letter.id)
    }
}

impl TestApp {
    /// All letters that left so far; those that are due leave first.
    pub fn letters(&self) -> Vec<Letter> {
        self.run_jobs();
        let all = self.inbox.all();
        self.inbox.read.borrow_mut().extend(all.iter().map(|letter| letter.id));
        all
    }

    /// The last letter that left. The story has not read the others by this.
    pub fn last_letter(&self) -> Letter {
        self.run_jobs();
        let last = self.inbox.all().pop().expect("a letter was sent");
        self.inbox.read.borrow_mut().insert(last.id);
        last
    }

    /// For a story in which nobody looks at what is sent.
    pub fn letters_do_not_matter(&self) {
        self.inbox.does_not_matter.set(true);
    }

    /// What the end of a story asks of its letters: a notice was brought about by a change of that account; a letter
    /// with a link was read, or is the one of that account's sign-up. One too many, or to somebody else, is neither.
    pub(super) fn every_letter_has_a_cause(&self) {
        let of_accounts = "SELECT email_key || ' ' || kind FROM vestibule_users u \
                           JOIN vestibule_events ON u.id = user_id";
        let asked = "SELECT kind FROM vestibule_events WHERE kind = 'password-reset-asked'";
        // Some stories leave a database that cannot be read, or not written.
        let found = self.try_all(&[of_accounts, asked].map(str::to_owned));
        let [Some(events), Some(asked)] = &found[..] else { return };
        let _ = self.try_run_jobs();
        let all = self.inbox.all();
        assert!(all.iter().all(|letter| letter.to != bystander::EMAIL), "{all:?}");
        if self.inbox.does_not_matter.get() {
            return;
        }
        let resets = all.iter().filter(|letter| letter.subject.starts_with("Reset")).count();
        assert!(resets <= asked.len(), "nobody has asked for all of these: {all:?}");
        for letter in &all {
            let (kinds, may_be_read): (&[&str], _) = match letter.subject.split(' ').next() {
                Some("Your") => (&["password-changed", "password-reset"], false),
                Some("Confirm") => (&["signed-up"], true),
                _ => (&[], true),
            };
            let causes = kinds.iter().map(|kind| format!("{} {kind}", letter.to.to_lowercase()));
            let times: usize = causes.map(|c| events.iter().filter(|e| **e == c).count()).sum();
            let alike = all.iter().filter(|l| l.to == letter.to && l.subject == letter.subject);
            assert!(
                may_be_read && self.inbox.is_read(letter) || alike.count() <= times,
                "nothing has brought this about, and nobody has read it: {letter:?}"
            );
        }
    }
}

/// A letter as somebody reads it.
#[derive(Debug)]
pub struct Letter(SentMessage);

impl Letter {
    /// The path of the link in it.
    pub fn link(&self) -> String {
        let at = self.text.find("http://localhost:8000/").expect("the letter has a link");
        let path = &self.text[at + "http://localhost:8000".len()..];
        path.split_whitespace().next().unwrap().to_owned()
    }

    /// The secret in its link.
    pub fn token(&self) -> String {
        self.link().rsplit('/').next().unwrap().to_owned()
    }
}

impl Deref for Letter {
    type Target = SentMessage;
    fn deref(&self) -> &SentMessage {
        &self.0
    }
}
