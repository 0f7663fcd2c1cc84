//! The HTTP interface. Knows no SQL.

mod accept;
mod api;
mod assets;
mod body;
mod catchers;
mod errors;
mod fairings;
mod flash;
mod forms;
mod frame;
mod guards;
mod health;
mod layout;
mod legacy_api;
mod next;
mod pages;
mod paths;
mod refusals;
mod rejected;
mod routes;
mod session;
mod sign_in_first;

pub(crate) use accept::MAX_ACCEPT;
pub(crate) use assets::Assets;
pub use catchers::catchers;
pub(crate) use fairings::origin::Floods;
pub use frame::Layout;
pub(crate) use frame::{DrawLayout, HostLayout};
pub(crate) use guards::client::{address as client_address, is_internal};
pub use guards::{Admin, Menu, RecentLogin, SameOrigin, Visitor};
pub(crate) use paths::WholeService;
pub(crate) use routes::mount;
pub use sign_in_first::{SignInFirst, sign_in_first};
