//! What mailed links do for programs.

use rocket::http::Method::{Get, Post};

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

#[test]
fn a_program_looks_at_a_link_before_using_it() {
    let app = TestApp::with_ada();
    let look = |purpose: &str, token: &str| {
        app.other_browser().call(
            Post,
            "/api/v1/open_link",
            [("purpose", purpose), ("token", token)],
        )
    };
    let token = app.last_email().token();
    for _ in 0..3 {
        look("verify-email", &token).is(200).is_json(r#"{"email":"ada@example.com"}"#);
    }
    app.post("/email-change", [("email", "ada@new.example")]).redirects_to("/security");
    let change = app.last_email().token();
    look("email-change", &change).is(200).is_json(r#"{"email":"ada@new.example"}"#);
    // For another purpose it is no link.
    look("password-reset", &token).refuses(400, "dead-link");
    look("verify-email", "nonsense").refuses(400, "dead-link");
    look("verify-email", &"A".repeat(43)).refuses(400, "dead-link");
    look("nonsense", &token).refuses(400, "invalid-fields").says("\"purpose\"");
    app.call(Post, "/api/v1/verify_email", [("token", &*token)]).is(200);
    look("verify-email", &token).is(400);
}

/// A page does not show it either: the notice is all that its reader has.
#[test]
fn the_link_of_a_notice_does_not_say_whose_it_is() {
    let app = TestApp::with_ada();
    let form = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    app.call(Post, "/api/v1/password_change", form).is(200);
    let token = app.last_email().token();
    let form = [("purpose", "not-me"), ("token", &*token)];
    app.call(Post, "/api/v1/open_link", form).is(200).is_json(r#"{"email":null}"#);
}

#[test]
fn the_owner_of_an_account_that_somebody_else_created_sets_the_first_password() {
    let app = TestApp::new();
    let new = vestibule::NewAccount::new(ADA.parse().unwrap());
    app.block_on(app.accounts().create(&new)).unwrap();
    let token = app.last_email().token();
    let set = |token: &str, password: &str| {
        app.call(Post, "/api/v1/set_password", [("token", token), ("new_password", password)])
    };
    app.call(Post, "/api/v1/open_link", [("purpose", "set-password"), ("token", &*token)])
        .is(200)
        .is_json(r#"{"email":"ada@example.com"}"#);
    set(&token, "password1").refuses(400, "weak-password");
    set("nonsense", PASSWORD).is(400);
    // It is no link to reset a password.
    let form = [("reset_token", &*token), ("new_password", PASSWORD)];
    app.call(Post, "/api/v1/update_password", form).is(400);
    set(&token, PASSWORD)
        .is(200)
        .is_json(r#"{"email":"ada@example.com","message":"Password updated"}"#);
    set(&token, NEW_PASSWORD).refuses(400, "dead-link");
    app.call(Post, "/api/v1/session", [("email", ADA), ("password", PASSWORD)]).is(200);
    assert_eq!(app.ask(Get, "/api/v1/session").json()["user"]["email_verified"], true);
}

/// Whoever is invited has no account yet.
#[test]
fn an_invitation_says_for_which_address_it_is() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.signup", "invite")));
    app.block_on(app.accounts().invite(&ADA.parse().unwrap())).unwrap();
    let token = app.last_email().token();
    let look = || {
        let form = [("purpose", "invitation"), ("token", &*token)];
        app.call(Post, "/api/v1/open_link", form)
    };
    look().is(200).is_json(r#"{"email":"ada@example.com"}"#);
    let form = [("email", ADA), ("password", PASSWORD)];
    app.call(Post, "/api/v1/register", form).refuses(403, "sign-up-not-open");
    let form = [("token", &*token), ("password", PASSWORD)];
    app.call(Post, "/api/v1/invitation_accept", form).is(201);
    look().refuses(400, "dead-link");
}
