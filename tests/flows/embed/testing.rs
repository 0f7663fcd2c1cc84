//! What the crate gives the tests of a host app.

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::local::blocking;
use rocket::{get, routes};
use tempfile::TempDir;
use vestibule::{Mailbox, User, testing};

#[get("/hello")]
fn hello(user: User) -> String {
    user.email.to_string()
}

/// In its folder: a test must never reach the database of the shell that it runs in.
#[rocket::async_test]
async fn a_host_tests_a_page_for_who_is_signed_in() {
    let folder = TempDir::new().unwrap();
    let rocket = rocket::custom(testing::figment(folder.path()))
        .attach(vestibule::stage().at("/members"))
        .mount("/", routes![hello]);
    let client = Client::tracked(rocket).await.unwrap();
    for email in ["ada@example.com", "eve@example.com", "ada@example.com"] {
        testing::sign_in_async(&client, email).await;
        let page = client.get("/hello").dispatch().await.into_string().await;
        assert_eq!(page.as_deref(), Some(email));
    }
    assert!(folder.path().join("vestibule.sqlite3").exists());
}

#[get("/verified")]
fn verified(user: User) -> String {
    user.verified_email().map_or_else(|| "unverified".to_owned(), ToString::to_string)
}

fn host(folder: &TempDir) -> rocket::Rocket<rocket::Build> {
    rocket::custom(testing::figment(folder.path()))
        .manage(Mailbox::default())
        .attach(vestibule::stage().at("/members"))
        .mount("/", routes![verified])
}

#[test]
fn a_host_tests_verified_addresses_and_signing_out() {
    let folder = TempDir::new().unwrap();
    let client = blocking::Client::tracked(host(&folder)).unwrap();
    let page = || client.get("/verified").dispatch();
    testing::sign_in(&client, "ada@example.com");
    assert_eq!(page().into_string().as_deref(), Some("unverified"));
    testing::verify_email(&client, "ada@example.com");
    assert_eq!(page().into_string().as_deref(), Some("ada@example.com"));
    testing::sign_out(&client);
    assert_eq!(page().status(), Status::Unauthorized);
}

#[rocket::async_test]
async fn the_same_with_an_asynchronous_client() {
    let folder = TempDir::new().unwrap();
    let client = Client::tracked(host(&folder)).await.unwrap();
    testing::sign_in_async(&client, "ada@example.com").await;
    testing::verify_email_async(&client, "ada@example.com").await;
    let page = client.get("/verified").dispatch().await.into_string().await;
    assert_eq!(page.as_deref(), Some("ada@example.com"));
    testing::sign_out_async(&client).await;
    assert_eq!(client.get("/verified").dispatch().await.status(), Status::Unauthorized);
}

/// Whoever may sign up: the tests of a host need somebody who is signed in.
#[test]
fn a_host_signs_in_where_nobody_signs_up() {
    for (setting, value) in [
        ("signup", "invite"),
        ("signup", "closed"),
        ("signup_domains", "x.example"),
        ("verification", "required"),
    ] {
        let folder = TempDir::new().unwrap();
        let figment =
            testing::figment(folder.path()).merge((format!("vestibule.{setting}"), value));
        let rocket = rocket::custom(figment)
            .manage(Mailbox::default())
            .attach(vestibule::stage())
            .mount("/", routes![verified]);
        let client = blocking::Client::tracked(rocket).unwrap();
        for _ in 0..2 {
            testing::sign_in(&client, "ada@example.com");
            let page = client.get("/verified").dispatch().into_string();
            assert_eq!(page.as_deref(), Some("ada@example.com"), "{setting}={value}");
            testing::sign_out(&client);
        }
        let mailbox: &Mailbox = client.rocket().state().unwrap();
        assert!(mailbox.messages().is_empty());
    }
}
