//! What people do, in one line each. Ada has the account that most tests are about.

use super::app::TestApp;
use super::browser::Browser;
use super::page::Seen;
use super::{ADA, PASSWORD};

impl TestApp {
    /// A service where Ada has signed up. The first browser is hers, and signed in.
    pub fn with_ada() -> Self {
        let app = Self::new();
        app.sign_up(ADA);
        app
    }

    /// Another browser that is signed in to Ada's account.
    pub fn elsewhere(&self) -> Browser {
        let browser = self.other_browser();
        browser.log_in(ADA, PASSWORD).redirects_to("/profile");
        browser
    }

    /// A reset link for Ada's account, requested by a stranger.
    pub fn reset_link(&self) -> String {
        self.other_browser()
            .post("/password-reset", [("email", ADA)])
            .redirects_to("/password-reset-sent");
        self.last_email().link()
    }
}

impl Browser {
    /// Signs up on the page.
    pub fn sign_up(&self, email: &str) -> Seen {
        let seen = self.submit("/signup", [("email", email), ("password", PASSWORD)]);
        seen.redirects_to("/profile")
    }

    /// Signs in on the page.
    pub fn log_in(&self, email: &str, password: &str) -> Seen {
        self.submit("/login", [("email", email), ("password", password)])
    }

    /// Signs in with "keep me signed in".
    pub fn log_in_and_stay(&self, email: &str, password: &str) -> Seen {
        self.post("/login", [("email", email), ("password", password), ("remember", "on")])
    }

    /// Presses the button to sign out.
    pub fn sign_out(&self) -> Seen {
        self.post("/logout", [])
    }

    /// Changes the password on the page.
    pub fn change_password(&self, current: &str, new: &str) -> Seen {
        self.submit("/password-change", [("password", current), ("new_password", new)])
    }

    /// Opens a mailed link and sets a new password.
    pub fn reset_password(&self, link: &str, new: &str) -> Seen {
        self.visit(link).and_submit([("new_password", new)])
    }

    /// Tries a wrong password; returns the status.
    pub fn guess(&self, email: &str) -> u16 {
        self.post("/login", [("email", email), ("password", "wrong")]).status
    }
}
