//! Who may sign up, and when an account is there.

mod invitation;
mod modes;
mod older_clients;
mod required;

use crate::harness::TestApp;

/// A service whose addresses have to be verified.
fn with_proof() -> TestApp {
    TestApp::with(|figment| figment.merge(("vestibule.verification", "required")))
}
