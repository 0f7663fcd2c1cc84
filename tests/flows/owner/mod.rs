//! What owners do with their accounts.

mod activity;
mod deletion;
mod email_change;
mod email_undo;
mod export;
mod new_device;
mod not_me;
mod sessions;

use crate::harness::{ADA, TestApp};

/// Ada, whose address is confirmed.
fn with_verified_ada() -> TestApp {
    let app = TestApp::with_ada();
    verify(&app);
    app
}

/// Follows the link of the last email as the signed-in owner.
fn verify(app: &TestApp) {
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/profile");
    app.visit("/profile").says("Your email address is confirmed.");
}

/// The kinds of events of Ada's account, oldest first.
fn events_of_ada(app: &TestApp) -> Vec<String> {
    app.texts(&format!(
        "SELECT kind FROM vestibule_events WHERE user_id IN \
         (SELECT id FROM vestibule_users WHERE email_key = '{ADA}') ORDER BY at, id"
    ))
}
