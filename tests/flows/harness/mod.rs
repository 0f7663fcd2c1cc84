//! The test harness: [`TestApp`] is a whole service with its own database, bcrypt at its lowest cost, mails in
//! memory and a clock that can be moved; a [`Browser`] keeps cookies and fills in forms.

mod app;
mod browser;
mod bystander;
mod crowd;
mod database;
mod described;
mod gate;
mod limit;
mod log;
pub mod mail_server;
mod messages;
pub mod mount;
mod page;
mod people;
pub mod postgres;
pub mod process;

pub use app::{TestApp, new_runtime, settings};
pub use browser::{Browser, urlencoded};
pub use gate::Gate;
pub use messages::Email;
pub use page::Seen;

/// The account of most tests.
pub const ADA: &str = "ada@example.com";
/// A password that meets the default policy.
pub const PASSWORD: &str = "seven purple lanterns";
/// Another password.
pub const NEW_PASSWORD: &str = "a quiet morning tide";
/// The key that seals cookies.
pub const SECRET_KEY: &str = "2RwDo2B1e5D5zXWyfM3sBQSZgZzmvVZ9dfzlMGlAbH4=";

/// Whether to run slow tests too, and to skip nothing.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some()
}

/// All of them in CI; elsewhere every `nth`, beginning at random.
pub fn some_of<T>(all: impl IntoIterator<Item = T>, nth: usize) -> impl Iterator<Item = T> {
    let nth = if in_ci() { 1 } else { nth };
    let first = usize::try_from(getrandom::u32().unwrap()).unwrap() % nth;
    all.into_iter().skip(first).step_by(nth)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
