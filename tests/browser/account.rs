//! Owners look after their account.

use super::{PLAIN, sign_up};
use crate::harness::{Journey, Look, NEW_PASSWORD, PASSWORD};

async fn sign_in(j: &Journey, password: &str) {
    j.visit("/login").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", password).await;
    j.press("Sign in").await;
    j.is_at("/profile").await;
}

/// Change the address and put it back, end a session, read what happened, download everything, delete the account and
/// restore it; checks every page.
async fn whole_way(look: Look) {
    let Some(journey) = Journey::begin(look).await else { return };
    let j = &journey;
    sign_up(j).await;
    j.visit(&j.link("/verify-email").await).await;
    j.press("Confirm the address").await;

    j.press("Security").await;
    j.look_at("security").await;
    j.press("Change email address").await;
    j.type_into("email", "ada").await;
    j.press("Send the link").await;
    j.says("Enter an email address like name@example.com.").await;
    j.look_at("email-change-wrong").await;
    j.type_into("email", "ada@new.example").await;
    j.press("Send the link").await;
    j.is_at("/security").await;
    j.says("You have asked to change it to ada@new.example.").await;
    j.look_at("security-waiting").await;
    j.visit(&j.link("/email-change").await).await;
    j.look_at("email-change-link").await;
    j.press("Use this address").await;
    j.is_at("/security").await;
    j.says("Your email address is changed.").await;

    let undo = j.link("/email-undo").await;
    j.visit(&undo).await;
    j.says("ada@example.com again").await;
    j.look_at("email-undo").await;
    j.press("Put it back").await;
    j.type_into("new_password", NEW_PASSWORD).await;
    j.press("Set the password").await;
    j.is_at("/login").await;
    j.visit(&undo).await;
    j.says("If you have put your email address back already").await;
    j.look_at("dead-link-undo").await;

    sign_in(j, NEW_PASSWORD).await;
    // As if from another device.
    j.page.delete_all_cookies().await.unwrap();
    sign_in(j, NEW_PASSWORD).await;
    j.press("Devices").await;
    j.says("This device").await;
    j.look_at("sessions").await;
    j.click(j.find("main .list button").await).await;
    j.says("The device is signed out.").await;
    j.says("You are not signed in anywhere else.").await;
    j.look_at("sessions-alone").await;

    j.press("Activity").await;
    j.says("The earlier email address was put back").await;
    j.look_at("activity").await;
    j.press("Secure your account").await;
    j.look_at("not-me-signed-in").await;
    j.press("Back to sign-in and security").await;
    j.is_at("/security").await;

    j.press("Data").await;
    j.look_at("your-data").await;
    let file = j.download("Download", "account.json").await;
    assert!(file.contains("ada@example.com"), "{file}");
    j.press("Delete your account").await;
    j.type_into("password", "was it this one?").await;
    j.press("Delete my account").await;
    j.look_at("account-deletion-wrong").await;
    j.type_into("password", NEW_PASSWORD).await;
    j.press("Delete my account").await;
    j.says("Your account is deleted").await;
    j.shows_nobody().await;
    j.look_at("account-deleted").await;
    j.press("Go to the front page").await;
    j.is_at("/").await;

    let restore = j.link("/account-restore").await;
    j.visit(&restore).await;
    j.look_at("account-restore").await;
    j.press("Restore my account").await;
    j.is_at("/login").await;
    j.says("Your account is restored.").await;
    sign_in(j, NEW_PASSWORD).await;
    journey.page.close().await.unwrap();
}

#[tokio::test]
async fn owners_look_after_their_account_at_a_desk() {
    whole_way(PLAIN).await;
}

#[tokio::test]
async fn owners_look_after_their_account_on_a_phone_in_the_dark() {
    whole_way(Look { dark: true, phone: true, ..PLAIN }).await;
}

#[tokio::test]
async fn owners_look_after_their_account_without_scripts() {
    whole_way(Look { scripts: false, ..PLAIN }).await;
}

/// Promise 61: the link in a notice works without signing in.
#[tokio::test]
async fn this_was_not_me() {
    let Some(journey) = Journey::begin(Look { phone: true, ..PLAIN }).await else { return };
    let j = &journey;
    sign_up(j).await;
    j.visit("/password-change").await;
    j.type_into("password", PASSWORD).await;
    j.type_into("new_password", NEW_PASSWORD).await;
    j.press("Change the password").await;
    let notice = j.link("/not-me").await;
    j.page.delete_all_cookies().await.unwrap();
    j.visit(&notice).await;
    j.look_at("not-me").await;
    j.press("Sign out every device").await;
    j.says("Every device is signed out").await;
    j.look_at("not-me-done").await;
    j.visit(&j.link("/password-reset").await).await;
    j.type_into("new_password", PASSWORD).await;
    j.press("Set the password").await;
    sign_in(j, PASSWORD).await;
    journey.page.close().await.unwrap();
}

/// Promise 48: the password is asked for when the sign-in was long ago, and what was typed is kept meanwhile.
#[tokio::test]
async fn what_was_typed_is_kept_while_the_password_is_asked_for() {
    // Otherwise a session is remembered for a second.
    let uncached = [("VESTIBULE_SESSION__CACHE_FOR", "0s")];
    let Some(journey) = Journey::begin_with(PLAIN, &uncached).await else { return };
    let j = &journey;
    sign_up(j).await;
    j.visit("/email-change").await;
    j.signed_in_long_ago().await;
    j.type_into("email", "ada@new.example").await;
    j.press("Send the link").await;
    j.is_at("/recent-login?next=/email-change").await;
    j.says("What you typed is kept.").await;
    j.look_at("recent-login").await;
    j.type_into("password", "was it this one?").await;
    j.press("Continue").await;
    j.says("This is not your current password.").await;
    j.look_at("recent-login-wrong").await;
    j.type_into("password", PASSWORD).await;
    j.press("Continue").await;
    j.is_at("/email-change").await;
    assert_eq!(j.find("#email").await.prop("value").await.unwrap().unwrap(), "ada@new.example");
    journey.page.close().await.unwrap();
}

#[tokio::test]
async fn the_keyboard_alone_is_enough_to_leave() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    sign_up(j).await;
    j.tab_to("Security").await;
    j.enter().await;
    j.tab_to("Change email address").await;
    j.enter().await;
    j.tab_to("email").await;
    j.keys("ada@new.example").await;
    j.enter().await;
    j.says("You have asked to change it to").await;
    j.tab_to("Cancel the change").await;
    j.enter().await;
    j.says("Your email address stays as it is.").await;
    j.tab_to("Data").await;
    j.enter().await;
    j.tab_to("Delete your account").await;
    j.enter().await;
    j.tab_to("password").await;
    j.keys(PASSWORD).await;
    j.enter().await;
    j.says("Your account is deleted").await;
    j.tab_to("Go to the front page").await;
    j.enter().await;
    j.is_at("/").await;
    journey.page.close().await.unwrap();
}
