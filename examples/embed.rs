//! Vestibule in your own Rocket app: `cargo run --example embed`, then open
//! <http://localhost:8000/hello>.

use rocket::figment::Figment;
use rocket::response::Redirect;
use rocket::{Build, Rocket, catch, catchers, get, launch, routes};
use vestibule::User;

#[get("/hello")]
fn hello(user: User) -> String {
    format!("Hello, {}!", user.display_name())
}

#[catch(401)]
fn sign_in_first() -> Redirect {
    Redirect::to("/login?next=/hello")
}

/// The app, for any figment.
pub fn app(figment: Figment) -> Rocket<Build> {
    rocket::custom(figment)
        .attach(vestibule::stage())
        .mount("/", routes![hello])
        .register("/", catchers![sign_in_first])
}

#[launch]
fn launch() -> _ {
    let figment = vestibule::figment();
    // Rocket's own log would contain the secrets of mailed links.
    vestibule::init_log(&figment);
    app(figment)
}
