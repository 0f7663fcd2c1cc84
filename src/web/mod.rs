//! The HTTP interface. Knows no SQL.

mod accept;
mod api;
mod assets;
mod body;
mod catchers;
mod cursor;
mod draft;
mod errors;
mod fairings;
mod flash;
mod forms;
mod frame;
mod guards;
mod health;
mod layout;
mod legacy_api;
mod methods;
mod next;
mod openapi;
mod pages;
mod paths;
mod problems;
mod refusals;
mod rejected;
mod routes;
mod session;
mod typed_email;

pub(crate) use accept::MAX_ACCEPT;
pub(crate) use assets::Assets;
pub use catchers::catchers;
pub(crate) use fairings::origin::Floods;
pub(crate) use frame::{DrawLayout, HostLayout};
pub use frame::{Layout, PageUrls};
pub(crate) use guards::client::SilentProxies;
pub(crate) use guards::client::{address as client_address, is_internal};
pub use guards::{
    Admin, Draft, Menu, RecentLogin, SameOrigin, SignInFirst, Visitor, sign_in_first,
};
pub(crate) use paths::WholeService;
pub(crate) use routes::mount;
