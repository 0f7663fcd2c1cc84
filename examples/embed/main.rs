//! A notes app with accounts: `cargo run --example embed`, then open <http://localhost:8000>.
//!
//! - Everything of Vestibule is under `/accounts`, in the layout of the app (`layout`).
//! - The notes are in the same database, with a foreign key to the accounts (`notes.rs`).
//! - A note that was typed after the session had ended is not lost, and deleting all notes asks for the password again.
//! - `/admin` is for administrators. Who verifies that `ADMIN` is theirs becomes one (`promote`).
//! - Its tests are in `tests/flows/embed`.

mod notes;

use askama::Template;
use rocket::figment::Figment;
use rocket::http::Status;
use rocket::response::content::RawHtml;
use rocket::{Build, Rocket, get, launch, routes};
use vestibule::{AccountEvent, Accounts, Admin, EventResult, Layout, Menu};

use notes::{Notes, NotesDb};

/// The layout of every page: those of the app and those of Vestibule.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title|safe }} - Notes</title>
{{ styles|safe }}
<body class="vestibule">
<header><a class="brand" href="/">Notes</a> {{ menu|safe }}</header>
<main>{{ main|safe }}</main>
</body>
</html>"#
)]
struct Page<'a> {
    title: &'a str,
    styles: &'a str,
    menu: &'a str,
    main: &'a str,
}

fn layout(page: &Layout<'_>) -> String {
    let Layout { title, styles, menu, main, .. } = *page;
    Page { title, styles, menu, main }.render().unwrap_or_default()
}

/// A page of the app's own.
fn show(title: &str, menu: &Menu<'_>, main: &impl Template) -> Result<RawHtml<String>, Status> {
    let main = main.render().map_err(|_| Status::InternalServerError)?;
    let (main, links) = (format!("{}{main}", menu.notice()), menu.to_string());
    let page = Page { title, styles: &menu.styles(), menu: &links, main: &main };
    page.render().map(RawHtml).map_err(|_| Status::InternalServerError)
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<h1>Notes</h1>
{% match name %}
{% when Some with (name) %}<p>Welcome back, {{ name }}. <a href="/notes">Your notes</a></p>
{% when None %}<p><a href="{{ sign_up }}">Sign up</a> to keep notes.</p>
{% endmatch %}"#
)]
struct Front<'a> {
    name: Option<&'a str>,
    sign_up: &'a str,
}

#[get("/")]
fn front(menu: Menu<'_>) -> Result<RawHtml<String>, Status> {
    let name = menu.user().map(vestibule::User::display_name);
    show("Welcome", &menu, &Front { name, sign_up: &menu.urls().sign_up() })
}

#[get("/admin")]
async fn admin(admin: Admin, notes: Notes<'_>) -> Result<String, Status> {
    let count = notes.count().await?;
    Ok(format!("{} sees that there are {count} notes.", admin.user.display_name()))
}

/// The address of the first administrator: a setting in an app for others.
const ADMIN: &str = "ada@example.com";

/// Only a verified address counts: anybody may sign up with it.
async fn promote(event: AccountEvent, accounts: Accounts) -> EventResult {
    if let AccountEvent::EmailVerified(id) = event
        && let Some(user) = accounts.user(id).await?
        && user.verified_email().is_some_and(|email| email.key() == ADMIN)
    {
        accounts.set_admin(id, true).await?;
    }
    Ok(())
}

/// The app, for any figment.
pub fn app(figment: Figment) -> Rocket<Build> {
    rocket::custom(figment)
        .attach(vestibule::stage().at("/accounts").layout(layout).on(promote))
        // After the stage: its table refers to the accounts.
        .attach(NotesDb::fairing())
        .mount("/", routes![front, admin])
        .mount("/notes", routes![notes::list, notes::write, notes::ask, notes::delete_all])
        .register("/", vestibule::catchers())
}

#[launch]
fn launch() -> _ {
    let figment = vestibule::figment();
    // Rocket's own log would contain the secrets of mailed links.
    vestibule::init_log(&figment);
    app(figment)
}
