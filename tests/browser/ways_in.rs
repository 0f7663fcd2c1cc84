//! Ways to an account: with a proven address, by invitation, and not at all.

use super::PLAIN;
use crate::harness::{Journey, Look, NEW_PASSWORD, PASSWORD};

/// Sign up, ask for the link again, confirm the address with the password; checks every page.
async fn with_a_proven_address(look: Look) {
    let settings = [
        ("VESTIBULE_VERIFICATION", "required"),
        ("VESTIBULE_SIGNUP_DOMAINS", "example.com, example.org"),
    ];
    let Some(journey) = Journey::begin_with(look, &settings).await else { return };
    let j = &journey;
    j.visit("/login").await;
    j.look_at("login-proven").await;
    j.press("Send it again").await;
    j.says("Signed up, but got no email?").await;
    j.look_at("signup-again").await;
    j.visit("/signup?next=/security").await;
    j.type_into("email", "ada@example.net").await;
    j.type_into("password", PASSWORD).await;
    j.press("Sign up").await;
    j.says("Use an email address at one of these domains: example.com, example.org.").await;
    j.look_at("signup-other-domain").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", PASSWORD).await;
    j.press("Sign up").await;
    j.is_at("/signup-sent").await;
    j.says("We have sent an email to ada@example.com.").await;
    j.look_at("signup-sent").await;
    j.press("Send the link again").await;
    j.is_at("/signup-sent").await;
    j.says("You can have the link sent again once within the hour.").await;
    j.visit(&j.link("/signup").await).await;
    j.look_at("signup-link").await;
    j.type_into("password", NEW_PASSWORD).await;
    j.press("Confirm and sign in").await;
    j.says("This is not the password that you chose when you signed up.").await;
    j.look_at("signup-link-wrong").await;
    j.type_into("password", PASSWORD).await;
    j.press("Confirm and sign in").await;
    j.is_at("/security").await;
    j.says("Your account is ready.").await;
    journey.page.close().await.unwrap();
}

/// Somebody without an invitation, and somebody with one; checks every page.
async fn by_invitation(look: Look) {
    let settings =
        [("VESTIBULE_SIGNUP", "invite"), ("VESTIBULE_LINKS__SUPPORT", "mailto:help@example.com")];
    let Some(journey) = Journey::begin_with(look, &settings).await else { return };
    let j = &journey;
    j.visit("/").await;
    j.does_not_say("Sign up").await;
    j.look_at("home-no-signup").await;
    j.visit("/signup").await;
    j.says("You need an invitation").await;
    j.look_at("signup-by-invitation").await;
    j.press("Sign in").await;
    j.does_not_say("Sign up").await;
    j.does_not_say("cookie").await;
    j.look_at("login-no-signup").await;
    j.invite("ada@example.com").await;
    let link = j.link("/invitation").await;
    j.visit(&link).await;
    j.says("You are invited to create an account.").await;
    j.look_at("invitation").await;
    j.type_into("name", "Ada Lovelace").await;
    j.type_into("password", "password").await;
    j.press("Create the account").await;
    j.look_at("invitation-weak").await;
    assert_eq!(j.find("#name").await.prop("value").await.unwrap().unwrap(), "Ada Lovelace");
    j.type_into("password", PASSWORD).await;
    j.press("Create the account").await;
    j.is_at("/profile").await;
    j.says("Your account is ready.").await;
    j.says("Confirmed").await;
    j.page.delete_all_cookies().await.unwrap();
    j.visit(&link).await;
    j.says("If you have accepted the invitation already, you can sign in.").await;
    j.look_at("dead-link-invitation").await;
    journey.page.close().await.unwrap();
}

#[tokio::test]
async fn an_address_is_proven_at_a_desk() {
    with_a_proven_address(PLAIN).await;
}

#[tokio::test]
async fn an_address_is_proven_on_a_phone_in_the_dark() {
    with_a_proven_address(Look { dark: true, phone: true, ..PLAIN }).await;
}

#[tokio::test]
async fn an_address_is_proven_without_scripts() {
    with_a_proven_address(Look { scripts: false, ..PLAIN }).await;
}

#[tokio::test]
async fn an_invitation_is_accepted_at_a_desk() {
    by_invitation(PLAIN).await;
}

#[tokio::test]
async fn an_invitation_is_accepted_on_a_phone_in_the_dark() {
    by_invitation(Look { dark: true, phone: true, ..PLAIN }).await;
}

#[tokio::test]
async fn an_invitation_is_accepted_without_scripts() {
    by_invitation(Look { scripts: false, ..PLAIN }).await;
}

#[tokio::test]
async fn nobody_signs_up_where_it_is_closed() {
    let closed = [("VESTIBULE_SIGNUP", "closed")];
    let Some(journey) = Journey::begin_with(PLAIN, &closed).await else { return };
    let j = &journey;
    j.visit("/signup").await;
    j.says("No new accounts can be created here at the moment.").await;
    j.look_at("signup-closed").await;
    journey.page.close().await.unwrap();
}
