//! The help of the command line. Only the program contains this file, not the library.

pub const ABOUT: &str = "User accounts for a web application";

pub const SETTINGS: &str = "Settings come from Rocket.toml in this folder and from the environment:\n\
     VESTIBULE_PUBLIC_URL, ROCKET_PORT, ROCKET_DATABASES and so on; see README.md.";

pub const SERVE: &str = "Start the service (the default)";
pub const MIGRATE: &str = "Upgrade the tables of the database to this version";
pub const CHECK: &str =
    "Show what a start would find, and whether it would succeed, without changing anything";
pub const HEALTH: &str =
    "Ask the running service whether it is ready, for the health check of a container";

/// The answers of `vestibule health`.
pub const READY: &str = "ready";
pub const NO_HTTP: &str = "the answer is not HTTP";

pub fn not_ready(status: u16) -> String {
    format!("not ready: /health/ready answers {status}")
}

pub fn not_reached(address: std::net::SocketAddr, error: &std::io::Error) -> String {
    format!("not ready: nothing answers on {address}: {error}")
}

/// Why the service stopped before it served any request.
pub fn did_not_start(reason: &dyn std::error::Error) -> String {
    format!("the service did not start: {reason}")
}
