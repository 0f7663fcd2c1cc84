//! A host app is told what happens to accounts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use vestibule::AccountEvent::{
    self, Deleted, Disabled, EmailVerified, PasswordChanged, Renamed, SignedIn, SignedUp,
};

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

/// An app that writes down what it is told, and fails as often as `failures` says.
fn app(failures: usize) -> (TestApp, Arc<Mutex<Vec<AccountEvent>>>) {
    let told: Arc<Mutex<Vec<AccountEvent>>> = Arc::default();
    let (listener, failures) = (told.clone(), Arc::new(Mutex::new(failures)));
    let app = TestApp::start(
        |figment| figment,
        |figment| {
            let stage = vestibule::stage().on(move |event, accounts| {
                let (told, failures) = (listener.clone(), failures.clone());
                async move {
                    let left = *failures.lock().unwrap();
                    *failures.lock().unwrap() = left.saturating_sub(1);
                    match left {
                        0 => {}
                        1 => return Err("the app is not ready".into()),
                        _ => panic!("the app breaks down"),
                    }
                    // The change is done when it is told.
                    if let Deleted(id) = event {
                        assert!(accounts.user(id).await?.is_none());
                    }
                    told.lock().unwrap().push(event);
                    Ok(())
                }
            });
            rocket::custom(figment).attach(stage)
        },
    );
    (app, told)
}

#[test]
fn a_host_is_told_of_each_event_once_and_in_order() {
    let (app, told) = app(0);
    app.sign_up(ADA);
    let (accounts, ada) = (app.accounts(), ADA.parse().unwrap());
    let id = app.block_on(accounts.user_by_email(&ada)).unwrap().unwrap().id;
    app.visit(&app.last_email().link()).and_submit([]);
    app.submit("/profile", [("name", "Ada")]);
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    app.other_browser().log_in(ADA, "a wrong one");
    app.block_on(accounts.disable(id)).unwrap();
    app.block_on(accounts.delete(id)).unwrap();
    app.run_jobs();
    app.run_jobs();
    let seen = told.lock().unwrap().clone();
    let wanted = [
        SignedUp(id),
        SignedIn(id),
        EmailVerified(id),
        Renamed(id),
        PasswordChanged(id),
        Disabled(id),
        Deleted(id),
    ];
    assert_eq!(seen, wanted);
    app.emails_do_not_matter();
}

/// Promise 53: a listener that fails or breaks down loses nothing.
#[test]
fn a_host_that_fails_is_told_again_later() {
    let (app, told) = app(2);
    let browser = app.other_browser();
    browser.sign_up(ADA);
    app.emails_do_not_matter();
    // Both events meet a listener that breaks down, and then one that fails.
    app.run_jobs();
    assert!(told.lock().unwrap().is_empty());
    app.run_jobs();
    assert!(told.lock().unwrap().is_empty(), "not at once");
    app.clock.advance(Duration::from_secs(11));
    app.run_jobs();
    assert_eq!(told.lock().unwrap().len(), 2);
    app.clock.advance(Duration::from_hours(2));
    app.run_jobs();
    assert_eq!(told.lock().unwrap().len(), 2, "once is enough");
}

#[test]
fn an_event_that_another_process_has_claimed_is_told_a_minute_later() {
    let (app, told) = app(0);
    app.sign_up(ADA);
    app.emails_do_not_matter();
    // What another process has claimed and not finished is told by this one after a minute.
    let now = app.texts("SELECT CAST(due_at AS TEXT) FROM vestibule_events LIMIT 1").remove(0);
    app.sql(&format!(
        "UPDATE vestibule_events SET due_at = {now} + 60000 WHERE due_at IS NOT NULL"
    ));
    app.run_jobs();
    assert!(told.lock().unwrap().is_empty());
    app.clock.advance(Duration::from_mins(1));
    app.run_jobs();
    assert_eq!(told.lock().unwrap().len(), 2);
}

/// With the jobs of a real node: nobody asks for it.
#[test]
fn a_host_is_told_at_once() {
    let (teller, mut told) = rocket::tokio::sync::mpsc::unbounded_channel();
    let app = TestApp::start(
        |figment| figment.merge(("vestibule.jobs", true)),
        |figment| {
            let stage = vestibule::stage().on(move |event, _| {
                let sent = teller.send(event);
                async move { Ok(sent?) }
            });
            rocket::custom(figment).attach(stage)
        },
    );
    app.emails_do_not_matter();
    app.sign_up(ADA);
    let first = app.block_on(told.recv()).unwrap();
    assert!(matches!(first, SignedUp(_)), "{first:?}");
}

#[test]
fn without_a_listener_no_event_waits() {
    let app = TestApp::with_ada();
    assert_eq!(app.count("events WHERE due_at IS NOT NULL"), 0);
}
