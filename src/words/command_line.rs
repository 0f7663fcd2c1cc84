//! The help of the command line. Only the program contains this file, not the library.

pub const ABOUT: &str = "User accounts for a web application";

pub const SETTINGS: &str = "Settings come from Rocket.toml in this folder and from the environment:\n\
     VESTIBULE_PUBLIC_URL, ROCKET_PORT, ROCKET_DATABASES and so on; see README.md.";

pub const SERVE: &str = "Start the service (the default)";
pub const MIGRATE: &str = "Bring the tables of the database to this version";
pub const CHECK: &str = "Say what a start would find, and whether it would succeed; change nothing";

/// Why the service stopped before it served any request.
pub fn did_not_start(reason: &dyn std::error::Error) -> String {
    format!("the service did not start: {reason}")
}
