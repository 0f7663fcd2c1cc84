//! What is shown. Knows no SQL.

mod api;
mod assets;
mod errors;
mod fairings;
mod flash;
mod form;
mod guards;
mod health;
mod legacy_api;
mod links;
mod next;
mod pages;
mod refusals;
mod routes;
mod session;

pub(crate) use assets::Assets;
pub(crate) use fairings::limits::{MAX_ACCEPT, UNKNOWN_METHOD, UNREADABLE};
pub(crate) use fairings::origin::Floods;
pub(crate) use fairings::{WholeService, fairing};
pub use guards::RecentLogin;
pub(crate) use guards::client::{address as client_address, is_internal};
pub(crate) use routes::{catchers, routes, service_routes, unreadable};
