//! Journeys through the service in a real browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use fantoccini::Locator;
use fantoccini::key::Key;
use harness::{Journey, Look, NEW_PASSWORD, PASSWORD};
use serde_json::json;

/// Sign up, confirm the address, log out, forget the password, get back in; looking at every page.
async fn whole_way(look: Look) {
    let Some(journey) = Journey::begin(look).await else { return };
    let j = &journey;
    j.visit("/").await;
    j.look_at("home").await;
    j.press("Sign up").await;
    j.look_at("signup").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", PASSWORD).await;
    j.type_into("name", "Ada Lovelace").await;
    j.press("Sign up").await;
    j.is_at("/profile").await;
    j.says("Not confirmed yet").await;
    j.look_at("profile").await;

    j.visit(&j.link("/verify-email").await).await;
    j.look_at("verify-email").await;
    j.press("Confirm the address").await;
    j.is_at("/profile").await;
    j.says("Your e-mail address is confirmed.").await;
    j.type_into("name", "Ada").await;
    j.press("Save").await;
    j.says("Your name is saved.").await;
    j.look_at("profile-saved").await;
    j.visit("/").await;
    j.says("Good to see you, Ada").await;
    j.look_at("home-signed-in").await;

    j.click(j.find("header button").await).await;
    j.is_at("/").await;
    j.says("You are logged out.").await;
    j.visit("/profile").await;
    j.is_at("/login?next=/profile").await;
    j.look_at("login").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", "was it this one?").await;
    j.press("Log in").await;
    j.says("The e-mail address or the password is wrong.").await;
    j.look_at("login-wrong").await;

    j.press("Forgot your password?").await;
    j.look_at("password-reset").await;
    j.type_into("email", "ada@example.com").await;
    j.press("Send the link").await;
    j.says("Check your e-mail").await;
    j.look_at("password-reset-sent").await;
    let link = j.link("/password-reset").await;
    j.visit(&link).await;
    j.look_at("password-reset-link").await;
    j.type_into("new_password", "lovelace").await;
    j.press("Set the password").await;
    j.says("too easy to guess").await;
    j.look_at("password-reset-weak").await;
    j.type_into("new_password", NEW_PASSWORD).await;
    j.press("Set the password").await;
    j.is_at("/login").await;
    j.says("Your new password is set").await;
    j.look_at("login-after-reset").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", NEW_PASSWORD).await;
    j.find("#remember").await.click().await.unwrap();
    j.press("Log in").await;
    j.is_at("/profile").await;

    j.press("Change the password").await;
    j.is_at("/password-change").await;
    j.look_at("password-change").await;
    j.type_into("password", "was it this one?").await;
    j.type_into("new_password", PASSWORD).await;
    j.press("Change the password").await;
    j.says("This is not your current password.").await;
    j.look_at("password-change-wrong").await;
    j.type_into("password", NEW_PASSWORD).await;
    j.type_into("new_password", PASSWORD).await;
    j.press("Change the password").await;
    j.is_at("/profile").await;
    j.says("Your new password is set, and every other device is logged out.").await;

    j.visit(&link).await;
    j.says("This link does not work any more").await;
    j.look_at("dead-link").await;
    j.visit("/no/such/page").await;
    j.look_at("not-found").await;
    journey.page.close().await.unwrap();
}

const PLAIN: Look = Look { scripts: true, dark: false, phone: false };

#[tokio::test]
async fn at_a_desk() {
    whole_way(PLAIN).await;
}

#[tokio::test]
async fn on_a_phone_in_the_dark() {
    whole_way(Look { scripts: true, dark: true, phone: true }).await;
}

#[tokio::test]
async fn at_a_desk_without_scripts() {
    whole_way(Look { scripts: false, dark: false, phone: false }).await;
}

#[tokio::test]
async fn at_a_desk_in_the_dark() {
    whole_way(Look { scripts: true, dark: true, phone: false }).await;
}

/// In the light of day, for pictures and axe-core; Chromium's phones cannot be without scripts.
#[tokio::test]
async fn on_a_phone() {
    whole_way(Look { scripts: true, dark: false, phone: true }).await;
}

/// The summary gets the focus, and leads to the field.
#[tokio::test]
async fn mistakes_are_mended_by_keyboard() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    j.visit("/signup").await;
    j.type_into("email", "ada").await;
    j.type_into("password", "password").await;
    j.press("Sign up").await;
    assert!(j.page.title().await.unwrap().starts_with("Error: "));
    j.look_at("signup-mistakes").await;
    assert_eq!(j.run("return document.activeElement.className").await, json!("summary"));
    let summary = j.page.active_element().await.unwrap();
    summary.send_keys(&Key::Tab.to_string()).await.unwrap();
    j.page.active_element().await.unwrap().send_keys(&Key::Enter.to_string()).await.unwrap();
    assert_eq!(j.run("return location.hash").await, json!("#email"));
    let typed = "const e = document.querySelector('#email'); e.focus(); return [e.value, e.ariaInvalid,
                 document.getElementById(e.getAttribute('aria-describedby')).textContent.includes('name@example.com')]";
    assert_eq!(j.run(typed).await, json!(["ada", "true", true]));
    journey.page.close().await.unwrap();
}

/// The tab key goes through the page in the order in which it reads, and where it is can be seen.
#[tokio::test]
async fn everything_is_reached_by_keyboard() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    j.visit("/login").await;
    let mut reached = Vec::new();
    for _ in 0..10 {
        j.page.active_element().await.unwrap().send_keys(&Key::Tab.to_string()).await.unwrap();
        let here = "const e = document.activeElement; return [e.name || e.textContent.trim(), getComputedStyle(e).outlineStyle]";
        let here = j.run(here).await;
        assert_eq!(here[1], "solid", "{here} shows where it is");
        reached.push(here[0].as_str().unwrap().to_owned());
    }
    assert_eq!(
        reached,
        [
            "Skip to the content",
            "Vestibule",
            "Log in",
            "Sign up",
            "email",
            "password",
            "remember",
            "Log in",
            "Forgot your password?",
            "Sign up"
        ]
    );
    journey.page.close().await.unwrap();
}

/// What password managers go by (WCAG 2.2, 1.3.5; HTML, autofill).
#[tokio::test]
async fn password_managers_know_each_field() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    let mut tokens = Vec::new();
    for path in ["/signup", "/login", "/password-reset"] {
        j.visit(path).await;
        for field in j.page.find_all(Locator::Css("main input[autocomplete]")).await.unwrap() {
            tokens.push(field.attr("autocomplete").await.unwrap().unwrap());
        }
    }
    assert_eq!(
        tokens,
        ["email", "new-password", "name", "username", "current-password", "username"]
    );
    journey.page.close().await.unwrap();
}

/// Promise 36: whoever comes to this screen after the owner has logged out sees nothing of theirs, neither by
/// the back button, nor in a tab that was left or is opened again.
#[tokio::test]
async fn nothing_comes_back_after_logging_out() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    sign_up(j).await;
    j.visit("/").await;
    j.says("ada@example.com").await;
    j.press("Go to your profile").await;
    // A tab that was left on a page after the profile: the browser may keep that page whole.
    let left = j.page.window().await.unwrap();
    j.visit("/password-change").await;
    let other = j.page.new_window(true).await.unwrap().handle;
    j.page.switch_to_window(other).await.unwrap();
    j.visit("/profile").await;
    j.says("ada@example.com").await;
    j.click(j.find("header button").await).await;
    j.says("You are logged out.").await;
    j.page.back().await.unwrap();
    j.shows_nobody().await;
    j.page.forward().await.unwrap();
    j.shows_nobody().await;
    j.page.switch_to_window(left).await.unwrap();
    j.page.back().await.unwrap();
    j.shows_nobody().await;
    j.page.refresh().await.unwrap();
    j.shows_nobody().await;
    let opened = j.page.new_window(true).await.unwrap().handle;
    j.page.switch_to_window(opened).await.unwrap();
    j.visit("/profile").await;
    j.is_at("/login?next=/profile").await;
    journey.page.close().await.unwrap();
}

/// Promise 63: a button that was pressed twice.
#[tokio::test]
async fn a_double_click_is_one_click() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    j.visit("/signup").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", PASSWORD).await;
    j.press_twice("Sign up").await;
    j.is_at("/profile").await;
    j.says("ada@example.com").await;
    j.visit("/password-change").await;
    j.type_into("password", PASSWORD).await;
    j.type_into("new_password", NEW_PASSWORD).await;
    j.press_twice("Change the password").await;
    j.is_at("/profile").await;
    j.says("Your new password is set").await;
    j.visit(&j.link("/verify-email").await).await;
    j.press_twice("Confirm the address").await;
    j.is_at("/profile").await;
    j.says("Your e-mail address is confirmed.").await;
    journey.page.close().await.unwrap();
}

async fn sign_up(j: &Journey) {
    j.visit("/signup").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", PASSWORD).await;
    j.press("Sign up").await;
    j.is_at("/profile").await;
}
