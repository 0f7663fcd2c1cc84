//! Tests of a host app: settings, and signed-in clients.
//!
//! ```
//! use rocket::local::blocking::Client;
//! use rocket::{get, routes};
//! use vestibule::testing;
//!
//! #[get("/notes")]
//! fn notes(user: vestibule::User) -> String {
//!     format!("the notes of {}", user.email)
//! }
//!
//! let folder = tempfile::tempdir().unwrap();
//! let rocket = rocket::custom(testing::figment(folder.path()))
//!     .attach(vestibule::stage())
//!     .mount("/", routes![notes]);
//! let client = Client::tracked(rocket).unwrap();
//! testing::sign_in(&client, "ada@example.com");
//! let page = client.get("/notes").dispatch().into_string().unwrap();
//! assert_eq!(page, "the notes of ada@example.com");
//! ```
//!
//! [`Mailbox`] and [`Clock`](crate::Clock), given to `manage`, show the messages and move the time; [`run_jobs`] sends
//! what is due and tells of events; with a blocking client, `rocket::execute(run_jobs(client.rocket()))`. [`sign_in`]
//! as another person replaces the one before; [`verify_email`] opens the link that was mailed.

use std::path::Path;
use std::sync::Arc;

use figment::Figment;
use rocket::http::{ContentType, Status};
use rocket::local::{asynchronous, blocking};
use rocket::{Orbit, Rocket};

use crate::auth::{Auth, Client};
use crate::config::{CLOSED, Config};
use crate::{CreateError, Email, Mailbox, NewAccount, run_jobs, urls};

/// The password of the accounts that [`sign_in`] makes.
pub const PASSWORD: &str = "seven purple lanterns";

/// Settings for a test. Everything is kept in `folder`, and nothing is read from `Rocket.toml` or the environment, so
/// that a test never reaches the database or the mail server of a shell with other plans; `merge` what your app needs.
/// Hashes cost as little as possible, the limits by client IP and account are so high that no test meets them, and
/// jobs run only by [`run_jobs`].
pub fn figment(folder: &Path) -> Figment {
    const MANY: u32 = 1_000_000;
    Figment::from(rocket::Config::debug_default())
        .merge((CLOSED, true))
        .merge(("log_level", "off"))
        .merge(("vestibule.data_dir", folder))
        .merge(("vestibule.password.cost", 4))
        .merge(("vestibule.jobs", false))
        .merge(("vestibule.throttle.free_attempts", MANY))
        .merge(("vestibule.throttle.attempts_by_ip", MANY))
        .merge(("vestibule.throttle.signups_by_ip", MANY))
        .merge(("vestibule.throttle.emails_by_ip", MANY))
        .merge(("vestibule.throttle.emails_to_address", MANY))
}

/// Signs this client in, with the cookies that it keeps from now on. Signs up first if the address has no account; where
/// the settings `signup`, `signup_domains` or `verification` do not let it, it gets one whose address is verified.
///
/// # Panics
/// If the client is not tracked, the address is none, or its account has another password than [`PASSWORD`].
pub fn sign_in(client: &blocking::Client, email: &str) {
    let (url, form) = rocket::execute(entrance(client.rocket(), email));
    let response = client.post(url).header(ContentType::Form).body(form).dispatch();
    let status = response.status();
    let page = response.into_string().unwrap_or_default();
    assert_eq!(status, Status::SeeOther, "{email} cannot sign in: {page}");
    assert!(client.cookies().iter().next().is_some(), "the client is not tracked");
}

/// The same for an asynchronous client.
///
/// # Panics
/// As [`sign_in`].
pub async fn sign_in_async(client: &asynchronous::Client, email: &str) {
    let (url, form) = entrance(client.rocket(), email).await;
    let response = client.post(url).header(ContentType::Form).body(form).dispatch().await;
    let status = response.status();
    let page = response.into_string().await.unwrap_or_default();
    assert_eq!(status, Status::SeeOther, "{email} cannot sign in: {page}");
    assert!(client.cookies().iter().next().is_some(), "the client is not tracked");
}

/// Signs this client out.
///
/// # Panics
/// If that fails.
pub fn sign_out(client: &blocking::Client) {
    let response = client.post(url(client.rocket(), urls::SIGN_OUT)).dispatch();
    assert_eq!(response.status(), Status::SeeOther, "nobody can sign out");
}

/// The same for an asynchronous client.
///
/// # Panics
/// As [`sign_out`].
pub async fn sign_out_async(client: &asynchronous::Client) {
    let response = client.post(url(client.rocket(), urls::SIGN_OUT)).dispatch().await;
    assert_eq!(response.status(), Status::SeeOther, "nobody can sign out");
}

/// Verifies the address of an account that [`sign_in`] has made, by the link mailed to it, and tells listeners of it.
/// Needs a [`Mailbox`]; sends what is due.
///
/// # Panics
/// If your app does not `manage` a [`Mailbox`], or no link was mailed to the address.
pub fn verify_email(client: &blocking::Client, email: &str) {
    let rocket = client.rocket();
    let jobs = || rocket::execute(run_jobs(rocket)).expect("the jobs run");
    jobs();
    let (url, form) = mailed_link(rocket, email);
    let response = client.post(url).header(ContentType::Form).body(form).dispatch();
    assert_eq!(response.status(), Status::SeeOther, "{email} cannot be verified");
    drop(response);
    jobs();
}

/// The same for an asynchronous client.
///
/// # Panics
/// As [`verify_email`].
pub async fn verify_email_async(client: &asynchronous::Client, email: &str) {
    let rocket = client.rocket();
    run_jobs(rocket).await.expect("the jobs run");
    let (url, form) = mailed_link(rocket, email);
    let response = client.post(url).header(ContentType::Form).body(form).dispatch().await;
    assert_eq!(response.status(), Status::SeeOther, "{email} cannot be verified");
    drop(response);
    run_jobs(rocket).await.expect("the jobs run");
}

/// The last link that was mailed to verify this address, and its form.
fn mailed_link(rocket: &Rocket<Orbit>, email: &str) -> (String, String) {
    let mailbox: Option<&Mailbox> = rocket.state();
    let messages = mailbox.expect("the app manages a Mailbox").messages();
    let to = email.parse().map_or_else(|_| email.to_owned(), |email: Email| email.deliverable());
    let page = format!("{}/", url(rocket, urls::VERIFY_EMAIL));
    let link = messages.iter().rev().filter(|message| message.to == to).find_map(|message| {
        let (_, secret) = message.text.split_once(&page)?;
        secret.split_whitespace().next().map(|secret| format!("{page}{secret}"))
    });
    (
        link.unwrap_or_else(|| panic!("no link was mailed to {email}")),
        form([("password", PASSWORD)]),
    )
}

/// The page that signs this address in, and its form: the page to sign up, which does so for whoever has an account, or
/// the page to sign in, once there is one.
async fn entrance(rocket: &Rocket<Orbit>, email: &str) -> (String, String) {
    let auth: &Auth = rocket.state().expect("a stage is attached");
    let form = form([("email", email), ("password", PASSWORD)]);
    let address: Option<Email> = email.parse().ok();
    if !auth.config().requires_verification() && auth.may_sign_up(address.as_ref()).is_ok() {
        return (url(rocket, urls::SIGN_UP), form);
    }
    if let (Some(address), Ok(password)) = (address, PASSWORD.parse()) {
        let new = NewAccount::new(address).verified();
        let created = auth.create_account_with_password(&new, &password, &Client::operator()).await;
        let is_there = matches!(created, Ok(_) | Err(CreateError::EmailTaken));
        assert!(is_there, "{email} gets no account");
    }
    (url(rocket, urls::SIGN_IN), form)
}

fn url(rocket: &Rocket<Orbit>, page: urls::Path) -> String {
    let config: Option<&Arc<Config>> = rocket.state();
    config.expect("a stage is attached").urls.to(page).to_string()
}

fn form<const N: usize>(fields: [(&str, &str); N]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
