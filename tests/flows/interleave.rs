//! Stops one request at each point where it waits for something, and lets another one pass in the meantime. This
//! finds in every run the races that would otherwise take luck.
//!
//! Requests of the local client are futures in the test's own thread. A future that is not polled stands still:
//! with a query done, a hash computed, a transaction open or committed, whatever came before that point.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use rocket::futures::future::join;
use rocket::http::Method::{Get, Post};
use rocket::tokio::sync::Notify;
use rocket::tokio::time::timeout;

use crate::harness::{ADA, Browser, NEW_PASSWORD, PASSWORD, Seen, TestApp, some_of, urlencoded};

/// The stopped request may hold what the other one needs, such as SQLite's writer. It continues after this time.
const STANDS_STILL_FOR: Duration = Duration::from_millis(40);

/// More points than any request has.
const MANY: usize = 500;

type Form<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// Polls `stopped` a number of times, lets `passing` run, then continues. Returns both results, and whether there
/// was such a point.
fn stopped_at<A, B>(
    app: &TestApp,
    point: usize,
    stopped: impl Future<Output = A>,
    passing: impl Future<Output = B>,
) -> (A, B, bool) {
    let (mut left, goes_on, was_stopped) = (point, Cell::new(false), Cell::new(false));
    let (waker, has_stopped) = (RefCell::<Option<Waker>>::default(), Notify::new());
    let mut stopped = Box::pin(stopped);
    let stopped = poll_fn(|cx| {
        if left == 0 && !goes_on.get() {
            was_stopped.set(true);
            waker.replace(Some(cx.waker().clone()));
            has_stopped.notify_one();
            return Poll::Pending;
        }
        left = left.saturating_sub(1);
        let polled = stopped.as_mut().poll(cx);
        if polled.is_ready() {
            has_stopped.notify_one();
        }
        polled
    });
    let passing = async {
        has_stopped.notified().await;
        let mut passing = pin!(passing);
        let passed = timeout(STANDS_STILL_FOR, &mut passing).await;
        goes_on.set(true);
        if let Some(waker) = waker.take() {
            waker.wake();
        }
        match passed {
            Ok(passed) => passed,
            Err(_) => passing.await,
        }
    };
    let (a, b) = app.block_on(join(stopped, passing));
    (a, b, was_stopped.get())
}

async fn post(browser: &Browser, (path, fields): Form<'_>) -> Seen {
    let fields: Vec<_> = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "text/html")];
    browser.dispatch(Post, path, &headers, Some(&urlencoded(&fields))).await
}

/// Tries each point in a new app, until the request has no more of them. Outside CI, tries a random tenth of them.
fn at_each_point(story: impl Fn(usize) -> bool) {
    let mut points = some_of(0..MANY, 10).take_while(|point| story(*point)).count();
    if points == 0 {
        // The request has fewer points.
        points = usize::from(story(0));
    }
    assert!((1..some_of(0..MANY, 10).count()).contains(&points), "{points} points");
}

/// An app with a signed-in user, and a link to reset their password.
fn app_with_link() -> (TestApp, String) {
    let app = TestApp::with_ada();
    let link = app.reset_link();
    (app, link)
}

const EMAIL: (&str, &str) = ("email", ADA);
const OLD: (&str, &str) = ("password", PASSWORD);
const NEW: (&str, &str) = ("new_password", NEW_PASSWORD);

/// Promises 15, 23 and 44: signing in with the old password does not succeed once the reset is done.
#[test]
fn a_reset_passes_a_login() {
    at_each_point(|point| {
        let (app, link) = app_with_link();
        let thief = app.other_browser();
        let (_, reset, is_point) = stopped_at(
            &app,
            point,
            post(&thief, ("/login", &[EMAIL, OLD])),
            post(&app, (&link, &[NEW])),
        );
        reset.redirects_to("/login");
        assert!(!thief.is_signed_in(), "point {point}");
        app.log_in(ADA, PASSWORD).is(401);
        app.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
        is_point
    });
}

/// Promise 23: a sign-in that renews an old hash does not restore the old password.
#[test]
fn a_reset_passes_a_login_that_renews_the_hash() {
    at_each_point(|point| {
        let (app, link) = app_with_link();
        // A hash of this password, as another system would have stored it.
        let hash = bcrypt::hash_with_result(PASSWORD, 4).unwrap().to_string();
        app.sql(&format!(
            "UPDATE vestibule_passwords SET hash = '{hash}' \
         WHERE user_id IN (SELECT id FROM vestibule_users WHERE email_key = 'ada@example.com')"
        ));
        let thief = app.other_browser();
        let (_, reset, is_point) = stopped_at(
            &app,
            point,
            post(&thief, ("/login", &[EMAIL, OLD])),
            post(&app, (&link, &[NEW])),
        );
        reset.redirects_to("/login");
        assert!(!thief.is_signed_in(), "point {point}");
        app.log_in(ADA, PASSWORD).is(401);
        app.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
        is_point
    });
}

/// Promises 23 and 47: the password is changed with the old one while its owner resets it.
#[test]
fn a_reset_passes_a_change() {
    const THIRD: &str = "nine lazy harbour cats";
    at_each_point(|point| {
        let (app, link) = app_with_link();
        let thief = app.copy();
        let (_, reset, is_point) = stopped_at(
            &app,
            point,
            post(&thief, ("/password-change", &[OLD, ("new_password", THIRD)])),
            post(&app, (&link, &[NEW])),
        );
        reset.redirects_to("/login");
        assert!(!thief.is_signed_in(), "point {point}");
        app.log_in(ADA, THIRD).is(401);
        app.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
        is_point
    });
}

/// The same in the other order: only the password that was set last opens the account.
#[test]
fn a_change_passes_a_reset() {
    const THIRD: &str = "nine lazy harbour cats";
    at_each_point(|point| {
        let (app, link) = app_with_link();
        let owner = app.copy();
        let (reset, changed, is_point) = stopped_at(
            &app,
            point,
            post(&app, (&link, &[NEW])),
            post(&owner, ("/password-change", &[OLD, ("new_password", THIRD)])),
        );
        reset.redirects_to("/login");
        let browser = app.other_browser();
        browser.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
        app.other_browser().log_in(ADA, THIRD).is(401);
        assert!(!owner.is_signed_in(), "point {point}: {}", changed.status);
        is_point
    });
}

/// Promise 45: a session that is ended during its lookup is not cached as valid.
#[test]
fn a_reset_passes_a_visit() {
    for was_seen_before in [false, true] {
        at_each_point(|point| {
            let (app, link) = app_with_link();
            let thief = app.copy();
            if was_seen_before {
                assert!(thief.is_signed_in());
                app.clock.advance(Duration::from_secs(2));
            }
            let (_, reset, is_point) = stopped_at(
                &app,
                point,
                thief.dispatch(Get, "/profile", &[("Accept", "text/html")], None),
                post(&app.other_browser(), (&link, &[NEW])),
            );
            reset.redirects_to("/login");
            assert!(!thief.is_signed_in(), "point {point}");
            // A lookup has few points; this was the last one if there is none left.
            is_point || point < 3
        });
    }
}

/// Promise 20: two uses of one link; the one that succeeds says so.
#[test]
fn of_two_resets_with_one_link_one_counts() {
    at_each_point(|point| {
        let (app, link) = app_with_link();
        let other = app.other_browser();
        let third = [("new_password", "nine lazy harbour cats")];
        let (first, second, is_point) =
            stopped_at(&app, point, post(&app, (&link, &[NEW])), post(&other, (&link, &third)));
        let statuses = [first.status, second.status];
        let winner = match statuses {
            [303, 404] => NEW_PASSWORD,
            [404, 303] => third[0].1,
            _ => panic!("point {point}: {statuses:?}"),
        };
        app.log_in(ADA, winner).redirects_to("/profile");
        is_point
    });
}

/// Promise 44: signing out during another change in the same browser ends the session.
#[test]
fn a_log_out_passes_what_the_session_does() {
    let change = [OLD, NEW];
    for form in [("/profile", &[("name", "Ada")][..]), ("/password-change", &change[..])] {
        at_each_point(|point| {
            let app = TestApp::with_ada();
            let beside = app.copy();
            let (_, out, is_point) =
                stopped_at(&app, point, post(&app, form), post(&beside, ("/logout", &[])));
            out.redirects_to("/");
            assert!(!app.is_signed_in() && !beside.is_signed_in(), "{} at point {point}", form.0);
            assert_eq!(app.count("sessions"), 0);
            is_point
        });
    }
}

/// Promise 44: an ended session does not verify an address.
#[test]
fn a_log_out_passes_a_confirmation() {
    at_each_point(|point| {
        let app = TestApp::with_ada();
        let link = app.last_email().link();
        let witness = app.elsewhere();
        let beside = app.copy();
        let is_confirmed = |seen: Seen| {
            seen.json()["user"]["email_verified"].as_bool().expect("the witness is signed in")
        };
        let log_out_and_look = async {
            post(&beside, ("/logout", &[])).await.redirects_to("/");
            is_confirmed(witness.dispatch(Get, "/api/v1/session", &[], None).await)
        };
        let (_, was_confirmed, is_point) =
            stopped_at(&app, point, post(&app, (&link, &[])), log_out_and_look);
        app.clock.advance(Duration::from_secs(2));
        let witness = witness.ask(Get, "/api/v1/session");
        assert_eq!(is_confirmed(witness), was_confirmed, "point {point}");
        is_point
    });
}

/// One account for one address; both are signed in to it or told that it is taken.
#[test]
fn of_two_sign_ups_one_makes_the_account() {
    at_each_point(|point| {
        let app = TestApp::new();
        let other = app.other_browser();
        let (_, _, is_point) = stopped_at(
            &app,
            point,
            post(&app, ("/signup", &[EMAIL, OLD])),
            post(&other, ("/signup", &[EMAIL, OLD])),
        );
        assert!(app.is_signed_in() && other.is_signed_in(), "point {point}");
        assert_eq!(app.count("users"), 1);
        assert_eq!(app.emails().len(), 1);
        is_point
    });
}

/// Promise 59: an account that is brought back while others are erased is not erased with them.
#[test]
fn an_account_is_brought_back_while_it_is_about_to_be_erased() {
    at_each_point(|point| {
        let app = TestApp::with_ada();
        app.emails();
        app.post("/account-deletion", [OLD]).is(200);
        app.emails();
        let accounts = app.accounts();
        let email = ADA.parse().unwrap();
        let id = app.block_on(accounts.user_by_email(&email)).unwrap().unwrap().id;
        app.clock.advance(Duration::from_hours(7 * 24));
        let (_, is_back, is_point) = stopped_at(&app, point, app.jobs(), accounts.enable(id));
        let is_there = app.block_on(accounts.user(id)).unwrap().is_some();
        assert_eq!(is_there, is_back.unwrap(), "point {point}");
        is_point
    });
}

/// Promise 56: the password of a thief, who is not signed in, confirms nothing once its owner has changed it.
#[test]
fn a_change_of_the_password_passes_the_confirmation_of_an_address() {
    at_each_point(|point| {
        let app = TestApp::with_ada();
        app.emails();
        app.post("/email-change", [("email", "thief@example.net")]).redirects_to("/security");
        let link = app.last_email().link();
        let thief = app.other_browser();
        let change_and_look = async {
            let changed = post(&app, ("/password-change", &[OLD, NEW])).await;
            let me = app.dispatch(Get, "/api/v1/session", &[], None).await;
            changed.status == 303 && me.json()["user"]["email"] == ADA
        };
        let (_, is_owners, is_point) =
            stopped_at(&app, point, post(&thief, (&link, &[OLD])), change_and_look);
        let still_hers = app.ask(Get, "/api/v1/session").json()["user"]["email"] == ADA;
        assert!(still_hers || !is_owners, "point {point}");
        app.emails_do_not_matter();
        is_point
    });
}

/// Promise 56: whatever a thief does in the same moment, the address is back and the account is the owner's.
#[test]
fn putting_the_address_back_passes_what_a_thief_does() {
    const THIEF: &str = "thief@example.net";
    const AGAIN: &str = "thief@example.org";
    let stolen = || {
        let app = TestApp::with_ada();
        app.post(&app.last_email().link(), []).redirects_to("/profile");
        app.post("/email-change", [("email", THIEF)]).redirects_to("/security");
        app.post(&app.last_email().link(), []).redirects_to("/security");
        let undo =
            app.emails().iter().find(|email| email.text.contains("/email-undo/")).unwrap().link();
        app.post("/email-change", [("email", AGAIN)]).redirects_to("/security");
        let again = app.last_email().link();
        app.other_browser().post("/password-reset", [("email", THIEF)]);
        let reset = app.last_email().link();
        (app, undo, again, reset)
    };
    for act in ["again", "reset", "delete", "log in", "change", "ask", "renew"] {
        at_each_point(|point| {
            let (app, undo, again, reset) = stolen();
            let (thief, owner) = (app.other_browser(), app.other_browser());
            let thief = if ["reset", "log in"].contains(&act) { &thief } else { &*app };
            let them = [("email", THIEF), OLD];
            let form: Form<'_> = match act {
                "again" => (&again, &[]),
                "reset" => (&reset, &[NEW]),
                "delete" => ("/account-deletion", &[OLD]),
                "log in" => ("/login", &them),
                "change" => ("/password-change", &[OLD, NEW]),
                "ask" => ("/email-change", &[("email", "thief@example.com")]),
                _ => ("/recent-login", &[OLD]),
            };
            let (_, put_back, is_point) =
                stopped_at(&app, point, post(thief, form), post(&owner, (&undo, &[])));
            assert_eq!(put_back.status, 303, "{act} at point {point}");
            app.emails_do_not_matter();
            app.emails();
            assert!(!thief.is_signed_in(), "{act} at point {point}");
            let left = "SELECT email_key || ' ' || CASE WHEN new_email IS NULL AND disabled_at IS NULL AND \
                        delete_at IS NULL THEN 'enabled' ELSE 'odd' END FROM vestibule_users \
                        WHERE email_key LIKE 'ada%' OR email_key LIKE 'thief%'";
            assert_eq!(app.texts(left), [format!("{ADA} enabled")], "{act} at point {point}");
            for email in [ADA, THIEF, AGAIN] {
                for password in [PASSWORD, NEW_PASSWORD] {
                    assert_ne!(app.other_browser().log_in(email, password).status, 303, "{act}");
                }
            }
            is_point
        });
    }
}
