//! The notes, in the same SQLite file as the accounts, through a pool of the app's own.

use std::str::FromStr;
use std::time::Duration;

use askama::Template;
use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::form::Form;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::response::Redirect;
use rocket::response::content::RawHtml;
use rocket::{FromForm, Request, get, post};
use rocket_db_pools::{Config, Database, Pool};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use vestibule::{Draft, Menu, RecentLogin, SignInFirst, User, UserId};

/// The pool in Rocket's state. `rocket_db_pools` knows sqlx up to 0.7, so its `Pool` is implemented here.
#[derive(Database)]
#[database("notes")]
pub struct NotesDb(NotesPool);

pub struct NotesPool(SqlitePool);

#[rocket::async_trait]
impl Pool for NotesPool {
    type Connection = sqlx::pool::PoolConnection<sqlx::Sqlite>;
    type Error = sqlx::Error;

    async fn init(figment: &Figment) -> Result<Self, sqlx::Error> {
        let config: Config =
            figment.extract().map_err(|error| sqlx::Error::Configuration(error.into()))?;
        // Vestibule writes into the file too: wait for its turn.
        let options = SqliteConnectOptions::from_str(&config.url)?
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true);
        let pool = SqlitePool::connect_with(options).await?;
        let table = "CREATE TABLE IF NOT EXISTS notes (\
                         id INTEGER PRIMARY KEY, \
                         author BLOB NOT NULL REFERENCES vestibule_users (id) ON DELETE CASCADE, \
                         text TEXT NOT NULL)";
        sqlx::query(table).execute(&pool).await?;
        Ok(Self(pool))
    }

    async fn get(&self) -> Result<Self::Connection, sqlx::Error> {
        self.0.acquire().await
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

impl NotesDb {
    /// Opens the pool on the file of the accounts.
    pub fn fairing() -> AdHoc {
        AdHoc::try_on_ignite("Notes", |rocket| async {
            let url: Result<String, _> = rocket.figment().extract_inner("databases.vestibule.url");
            let Ok(url) = url else { return Err(rocket) };
            let figment = rocket.figment().clone().merge(("databases.notes.url", url));
            Ok(rocket.configure(figment).attach(Self::init()))
        })
    }
}

/// The notes, as a guard.
pub struct Notes<'r>(&'r SqlitePool);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Notes<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match NotesDb::fetch(request.rocket()) {
            Some(NotesDb(NotesPool(pool))) => Outcome::Success(Self(pool)),
            None => Outcome::Error((Status::InternalServerError, ())),
        }
    }
}

impl Notes<'_> {
    pub async fn count(&self) -> Result<i64, Status> {
        sqlx::query_scalar("SELECT COUNT(*) FROM notes").fetch_one(self.0).await.map_err(failed)
    }

    async fn of(&self, author: UserId) -> Result<Vec<String>, Status> {
        sqlx::query_scalar("SELECT text FROM notes WHERE author = $1 ORDER BY id DESC")
            .bind(author)
            .fetch_all(self.0)
            .await
            .map_err(failed)
    }

    async fn insert(&self, author: UserId, text: &str) -> Result<(), Status> {
        let insert = sqlx::query("INSERT INTO notes (author, text) VALUES ($1, $2)");
        insert.bind(author).bind(text).execute(self.0).await.map(drop).map_err(failed)
    }

    async fn delete_of(&self, author: UserId) -> Result<(), Status> {
        let delete = sqlx::query("DELETE FROM notes WHERE author = $1");
        delete.bind(author).execute(self.0).await.map(drop).map_err(failed)
    }
}

fn failed(error: sqlx::Error) -> Status {
    log::error!("notes: {error}");
    Status::ServiceUnavailable
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<h1>Your notes</h1>
<form method="post" action="/notes">
<div class="field"><label for="text">New note</label><input id="text" name="text" value="{{ draft }}" required></div>
<button>Keep it</button>
</form>
<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>
<p><a href="/notes/delete">Delete all notes</a></p>"#
)]
struct List {
    notes: Vec<String>,
    draft: String,
}

#[get("/")]
pub async fn list(
    user: User,
    draft: Draft,
    menu: Menu<'_>,
    notes: Notes<'_>,
) -> Result<RawHtml<String>, Status> {
    let (notes, draft) = (notes.of(user.id).await?, draft.0.unwrap_or_default());
    super::show("Your notes", &menu, &List { notes, draft })
}

#[derive(FromForm)]
pub struct NewNote<'r> {
    text: &'r str,
}

/// What was typed is kept if the session has ended.
#[post("/", data = "<note>")]
pub async fn write(
    user: Result<User, SignInFirst>,
    note: Form<NewNote<'_>>,
    notes: Notes<'_>,
) -> Result<Result<Redirect, Status>, SignInFirst> {
    let user = user.map_err(|first| first.keep_draft("/notes", note.text))?;
    Ok(notes.insert(user.id, note.text).await.map(|()| Redirect::to("/notes")))
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<h1>Delete all notes?</h1>
<form method="post" action="/notes/delete"><button>Delete them</button></form>"#
)]
struct Ask;

/// Asks for the password, unless it was given a moment ago: somebody else may sit at a browser that was left open.
#[get("/delete")]
pub fn ask(_recent: RecentLogin, menu: Menu<'_>) -> Result<RawHtml<String>, Status> {
    super::show("Delete all notes?", &menu, &Ask)
}

#[post("/delete")]
pub async fn delete_all(recent: RecentLogin, notes: Notes<'_>) -> Result<Redirect, Status> {
    notes.delete_of(recent.user.id).await?;
    Ok(Redirect::to("/notes"))
}
