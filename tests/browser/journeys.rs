//! Tests in a real browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod account;
mod harness;
mod ways_in;

use fantoccini::Locator;
use fantoccini::key::Key;
use harness::{Journey, Look, NEW_PASSWORD, PASSWORD};
use serde_json::json;

/// Sign up, verify the address, sign out, reset the password, sign in again; checks every page.
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
    j.says("Your email address is confirmed.").await;
    j.type_into("name", "Ada").await;
    j.press("Save").await;
    j.says("Your name is saved.").await;
    j.look_at("profile-saved").await;
    j.visit("/").await;
    j.says("Good to see you, Ada").await;
    j.look_at("home-signed-in").await;

    j.click(j.find("header button").await).await;
    j.is_at("/").await;
    j.says("You are signed out.").await;
    j.visit("/profile").await;
    j.is_at("/login?next=/profile").await;
    j.look_at("login").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", "was it this one?").await;
    j.press("Sign in").await;
    j.says("Email address or password is incorrect.").await;
    j.look_at("login-wrong").await;

    j.press("Forgot your password?").await;
    j.look_at("password-reset").await;
    j.type_into("email", "ada@example.com").await;
    j.press("Send the link").await;
    j.says("Check your email").await;
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
    j.press("Sign in").await;
    j.is_at("/profile").await;

    j.press("Security").await;
    j.press("Change password").await;
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
    j.says("Your new password is set, and every other device is signed out.").await;

    j.visit(&link).await;
    j.says("This link does not work any more").await;
    j.look_at("dead-link").await;
    j.visit("/no/such/page").await;
    j.look_at("not-found").await;
    journey.page.close().await.unwrap();
}

const PLAIN: Look = Look { scripts: true, dark: false, phone: false, firefox: false };

#[tokio::test]
async fn at_a_desk() {
    whole_way(PLAIN).await;
}

#[tokio::test]
async fn on_a_phone_in_the_dark() {
    whole_way(Look { scripts: true, dark: true, phone: true, firefox: false }).await;
}

#[tokio::test]
async fn at_a_desk_without_scripts() {
    whole_way(Look { scripts: false, dark: false, phone: false, firefox: false }).await;
}

#[tokio::test]
async fn at_a_desk_in_the_dark() {
    whole_way(Look { scripts: true, dark: true, phone: false, firefox: false }).await;
}

#[tokio::test]
async fn in_firefox() {
    whole_way(Look { firefox: true, ..PLAIN }).await;
}

/// With axe-core and screenshots, in light mode; Chromium's phone emulation needs scripts.
#[tokio::test]
async fn on_a_phone() {
    whole_way(Look { scripts: true, dark: false, phone: true, firefox: false }).await;
}

/// The error summary gets the focus, and links to the field.
#[tokio::test]
async fn mistakes_are_corrected_by_keyboard() {
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

/// The Tab key follows the reading order, and the focus is visible.
#[tokio::test]
async fn everything_is_reached_by_keyboard() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    j.visit("/login").await;
    let mut reached = Vec::new();
    for _ in 0..11 {
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
            "Sign in",
            "Sign up",
            "email",
            "password",
            "Show",
            "remember",
            "Sign in",
            "Forgot your password?",
            "Sign up"
        ]
    );
    journey.page.close().await.unwrap();
}

/// What password managers rely on (WCAG 2.2, 1.3.5; HTML, autofill).
#[tokio::test]
async fn password_managers_know_each_field() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    let mut fields = Vec::new();
    sign_up(j).await;
    for path in ["/profile", "/password-change"] {
        fields.extend(autocomplete(j, path).await);
    }
    let confirm = j.link("/verify-email").await;
    j.click(j.find("header button").await).await;
    j.visit("/password-reset").await;
    j.type_into("email", "ada@example.com").await;
    j.press("Send the link").await;
    let reset = j.link("/password-reset").await;
    for path in ["/signup", "/login", "/password-reset", &confirm, &reset] {
        fields.extend(autocomplete(j, path).await);
    }
    assert_eq!(
        fields,
        [
            "name: name",
            "username: username",
            "password: current-password",
            "new_password: new-password",
            "email: email",
            "password: new-password",
            "name: name",
            "email: username",
            "password: current-password",
            "email: username",
            // For password managers only: the account of the link.
            ": username",
            "password: current-password",
            "username: username",
            "new_password: new-password",
        ]
    );
    journey.page.close().await.unwrap();
}

/// The `autocomplete` of each field of the page.
async fn autocomplete(j: &Journey, path: &str) -> Vec<String> {
    j.visit(path).await;
    let mut fields = Vec::new();
    let inputs = Locator::Css("main input:not([type=hidden]):not([type=checkbox])");
    for field in j.page.find_all(inputs).await.unwrap() {
        let name = field.attr("name").await.unwrap().or(field.attr("id").await.unwrap());
        let token = field.attr("autocomplete").await.unwrap();
        fields.push(format!("{}: {}", name.unwrap_or_default(), token.unwrap_or_default()));
    }
    fields
}

/// Promise 36: after the owner has signed out, the next person at this screen sees nothing of theirs: not by the
/// back button, and not in a tab that was left open or is opened again.
#[tokio::test]
async fn nothing_comes_back_after_signing_out() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    sign_up(j).await;
    j.visit("/").await;
    j.says("ada@example.com").await;
    j.press("Go to your profile").await;
    // A tab on a page after the profile: the browser may keep the profile whole.
    let left = j.page.window().await.unwrap();
    j.visit("/password-change").await;
    let other = j.page.new_window(true).await.unwrap().handle;
    j.page.switch_to_window(other).await.unwrap();
    j.visit("/profile").await;
    j.says("ada@example.com").await;
    j.click(j.find("header button").await).await;
    j.says("You are signed out.").await;
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

/// Promise 63: a button pressed twice.
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
    j.says("Your email address is confirmed.").await;
    journey.page.close().await.unwrap();
}

async fn sign_up(j: &Journey) {
    j.visit("/signup").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", PASSWORD).await;
    j.press("Sign up").await;
    j.is_at("/profile").await;
}

/// The keyboard alone is enough, from the front page into an account and out of it.
#[tokio::test]
async fn the_keyboard_alone_is_enough() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    j.visit("/").await;
    j.tab_to("Sign up").await;
    j.enter().await;
    j.is_at("/signup").await;
    j.tab_to("email").await;
    j.keys("ada@example.com").await;
    j.tab_to("password").await;
    j.keys("short").await;
    j.enter().await;
    // The summary has the focus, and links to the invalid field.
    j.keys(&Key::Tab.to_string()).await;
    j.keys(&Key::Enter.to_string()).await;
    j.keys(PASSWORD).await;
    j.enter().await;
    j.is_at("/profile").await;
    j.tab_to("name").await;
    j.keys("Ada").await;
    j.enter().await;
    j.says("Your name is saved.").await;
    j.tab_to("Sign out").await;
    j.enter().await;
    j.says("You are signed out.").await;
    j.tab_to("Sign in").await;
    j.enter().await;
    j.tab_to("email").await;
    j.keys("ada@example.com").await;
    j.tab_to("password").await;
    j.keys(PASSWORD).await;
    j.tab_to("remember").await;
    j.keys(" ").await;
    j.tab_to("Sign in").await;
    j.enter().await;
    j.is_at("/profile").await;
    journey.page.close().await.unwrap();
}

/// Going back after a mistake, or after a link was used, sends nothing again and shows no error.
#[tokio::test]
async fn going_back_sends_nothing_anew() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    sign_up(j).await;
    let confirm = j.link("/verify-email").await;
    j.visit(&confirm).await;
    j.press("Confirm the address").await;
    j.is_at("/profile").await;
    j.page.back().await.unwrap();
    j.page.refresh().await.unwrap();
    j.is_at("/profile").await;
    j.does_not_say("does not work any more").await;
    j.click(j.find("header button").await).await;
    j.visit("/login").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", "was it this one?").await;
    j.press("Sign in").await;
    j.says("Email address or password is incorrect.").await;
    j.page.back().await.unwrap();
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", PASSWORD).await;
    j.press("Sign in").await;
    j.is_at("/profile").await;
    journey.page.close().await.unwrap();
}

/// Two tabs: one learns that the session was ended in the other, and returns to its page after signing in.
#[tokio::test]
async fn a_session_that_ends_while_a_form_is_filled_in() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    sign_up(j).await;
    let left = j.page.window().await.unwrap();
    j.type_into("name", "Ada Lovelace").await;
    let other = j.page.new_window(true).await.unwrap().handle;
    j.page.switch_to_window(other).await.unwrap();
    j.visit("/profile").await;
    j.click(j.find("header button").await).await;
    j.page.switch_to_window(left).await.unwrap();
    j.press("Save").await;
    j.is_at("/login?next=/profile").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", PASSWORD).await;
    j.press("Sign in").await;
    j.is_at("/profile").await;
    // Two users in two tabs: the later sign-in counts for both.
    j.page.switch_to_window(j.page.windows().await.unwrap().pop().unwrap()).await.unwrap();
    j.visit("/profile").await;
    j.says("ada@example.com").await;
    journey.page.close().await.unwrap();
}

/// WCAG 1.4.10 and 1.4.12, with the longest possible texts: 320 pixels wide, with extra spacing between emails and
/// lines, in the system's colours.
#[tokio::test]
async fn pages_fit_narrow_screens_and_large_text() {
    let longest = [("VESTIBULE_SITE_NAME", "The Association of Long-Winded Names")];
    let Some(journey) = Journey::begin_with(PLAIN, &longest).await else { return };
    let j = &journey;
    let screen = json!({ "width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": false });
    j.emulate("Emulation.setDeviceMetricsOverride", screen).await;
    let email = format!("{}@{}.example", "a".repeat(64), ["b"; 3].map(|b| b.repeat(59)).join("."));
    j.visit("/signup").await;
    j.type_into("email", &email).await;
    j.type_into("password", PASSWORD).await;
    j.type_into("name", &"W".repeat(100)).await;
    j.press("Sign up").await;
    j.is_at("/profile").await;
    let confirm = j.link("/verify-email").await;
    let colours = json!({ "features": [{ "name": "forced-colors", "value": "active" }] });
    for is_forced in [false, true] {
        if is_forced {
            j.emulate("Emulation.setEmulatedMedia", colours.clone()).await;
        }
        for path in [
            "/",
            "/profile",
            "/security",
            "/email-change",
            "/password-change",
            "/sessions",
            "/activity",
            "/your-data",
            "/account-deletion",
            &confirm,
            "/nowhere",
        ] {
            j.visit(path).await;
            let spaced =
                "for (const e of document.querySelectorAll('*')) { e.style.lineHeight = '1.5';
                          e.style.letterSpacing = '0.12em'; e.style.wordSpacing = '0.16em'; }";
            j.run(spaced).await;
            j.fits(path).await;
        }
        // Every control has a visible border.
        if is_forced {
            let edges = "return [...document.querySelectorAll('button, input:not([type=hidden])')].filter(e =>
                         getComputedStyle(e).borderStyle === 'none' && getComputedStyle(e).outlineStyle === 'none')
                         .map(e => e.outerHTML)";
            assert_eq!(j.run(edges).await, json!([]));
        }
    }
    journey.page.close().await.unwrap();
}

/// A request refused for too many attempts, or for its size, gets a regular page.
#[tokio::test]
async fn refusals_are_regular_pages() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    for _ in 0..6 {
        j.visit("/login").await;
        j.type_into("email", "bob@example.com").await;
        j.type_into("password", "was it this one?").await;
        j.press("Sign in").await;
    }
    j.says("Too many attempts.").await;
    assert_eq!(j.find("#email").await.prop("value").await.unwrap().unwrap(), "bob@example.com");
    j.look_at("login-too-many").await;
    j.visit("/login").await;
    let fill = "document.querySelector('#password').value = 'x'.repeat(40000)";
    j.run(fill).await;
    j.press("Sign in").await;
    j.look_at("too-large").await;
    journey.page.close().await.unwrap();
}

/// Too much load does not lose the user's input either.
#[tokio::test]
async fn overload_is_shown_on_the_page_with_the_form() {
    // No hash gets a worker that soon.
    let crowd = [("VESTIBULE_HASHING__MAX_WAIT", "1ns")];
    let Some(journey) = Journey::begin_with(PLAIN, &crowd).await else { return };
    let j = &journey;
    j.visit("/login").await;
    j.type_into("email", "bob@example.com").await;
    j.type_into("password", "was it this one?").await;
    j.press("Sign in").await;
    j.says("Wait a moment").await;
    assert_eq!(j.find("#email").await.prop("value").await.unwrap().unwrap(), "bob@example.com");
    j.look_at("login-crowd").await;
    journey.page.close().await.unwrap();
}

/// Promises 32 and 35: another website posts a form here and shows a page of ours in a frame.
#[tokio::test]
async fn another_website_can_neither_post_nor_frame() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    sign_up(j).await;
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    let page = format!(
        "<!doctype html><title>elsewhere</title><main><form method=post action={0}/profile><input name=name value=Mallory>\
         <button>Win</button></form></main><iframe src={0}/profile></iframe>",
        j.origin
    );
    std::thread::spawn(move || {
        for stream in elsewhere.incoming() {
            use std::io::{Read, Write};
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
                page.len()
            );
        }
    });
    j.page.goto(&format!("http://127.0.0.1:{port}/")).await.unwrap();
    j.page.enter_frame(0).await.unwrap();
    let framed = j.find("html").await.html(false).await.unwrap();
    assert!(!framed.contains("ada@example.com") && !framed.contains("Sign in"), "{framed}");
    j.page.enter_parent_frame().await.unwrap();
    j.press("Win").await;
    j.says("This request came from another website, so nothing was done.").await;
    j.visit("/profile").await;
    assert_eq!(j.find("#name").await.prop("value").await.unwrap().unwrap(), "");
    journey.page.close().await.unwrap();
}

/// What the script adds: a password is shown and hidden again, and never sent from a text field, which browsers
/// remember.
#[tokio::test]
async fn a_password_can_be_shown() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    j.visit("/login").await;
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", PASSWORD).await;
    let kind = "return document.querySelector('#password').type";
    let button = "const b = document.querySelector('.reveal'); return [b.textContent, b.ariaLabel]";
    assert_eq!(j.run(button).await, json!(["Show", "Show password"]));
    j.find(".reveal").await.click().await.unwrap();
    assert_eq!(j.run(kind).await, json!("text"));
    assert_eq!(j.run(button).await, json!(["Hide", "Hide password"]));
    j.look_at("login-shown").await;
    j.find(".reveal").await.click().await.unwrap();
    assert_eq!(j.run(kind).await, json!("password"));
    j.find(".reveal").await.click().await.unwrap();
    let sent =
        "document.querySelector('main form').addEventListener('submit', e => e.preventDefault());
                document.querySelector('main form').requestSubmit();
                return document.querySelector('#password').type";
    assert_eq!(j.run(sent).await, json!("password"));
    journey.page.close().await.unwrap();
}

#[tokio::test]
async fn caps_lock_is_noticed() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    j.visit("/login").await;
    // No driver presses the real key.
    let said = |on: bool| {
        format!(
            "document.querySelector('#password').dispatchEvent(new KeyboardEvent('keydown',
                 {{ key: 'a', modifierCapsLock: {on} }}));
             return document.querySelector('.caps').textContent"
        )
    };
    assert_eq!(j.run(&said(true)).await, json!("Caps Lock is on."));
    j.look_at("login-caps-lock").await;
    assert_eq!(j.run(&said(false)).await, json!(""));
    journey.page.close().await.unwrap();
}

/// The address goes along, even if it was never sent, and stays nowhere.
#[tokio::test]
async fn the_address_goes_along_from_form_to_form() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    let typed = "return document.querySelector('#email').value";
    j.visit("/login").await;
    j.type_into("email", "ada@example.com").await;
    j.press("Forgot your password?").await;
    j.is_at("/password-reset").await;
    assert_eq!(j.run(typed).await, json!("ada@example.com"));
    j.press("Sign up").await;
    assert_eq!(j.run(typed).await, json!("ada@example.com"));
    j.visit("/login").await;
    assert_eq!(j.run(typed).await, json!(""));
    // After a refusal it goes along without a script too.
    j.type_into("email", "ada@example.com").await;
    j.type_into("password", "was it this one?").await;
    j.press("Sign in").await;
    j.press("Forgot your password?").await;
    j.is_at("/password-reset").await;
    assert_eq!(j.run(typed).await, json!("ada@example.com"));
    journey.page.close().await.unwrap();
}

/// WCAG 2.4.11 and 1.4.10: zoomed in to 400 %, whoever follows the summary sees the label and the message.
#[tokio::test]
async fn the_summary_leads_to_the_label_and_the_message() {
    let Some(journey) = Journey::begin(PLAIN).await else { return };
    let j = &journey;
    let screen = json!({ "width": 320, "height": 256, "deviceScaleFactor": 1, "mobile": false });
    j.emulate("Emulation.setDeviceMetricsOverride", screen).await;
    j.visit("/signup").await;
    j.type_into("email", "ada").await;
    j.type_into("password", "password").await;
    j.press("Sign up").await;
    j.find(".summary a").await.click().await.unwrap();
    let seen = "return ['label[for=email]', '#email-error', '#email'].map(s => {
                    const box = document.querySelector(s).getBoundingClientRect();
                    return box.top >= 0 && box.bottom <= innerHeight })";
    assert_eq!(j.run(seen).await, json!([true, true, true]));
    journey.page.close().await.unwrap();
}
