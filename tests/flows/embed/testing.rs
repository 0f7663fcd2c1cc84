//! What the crate gives the tests of a host app.

use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use tempfile::TempDir;
use vestibule::{User, testing};

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
