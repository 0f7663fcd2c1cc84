//! The request guards: the signed-in user, the client, and the followed link.

pub(in crate::web) mod client;
mod current_session;
mod host;
mod link;
mod menu;
mod page;
mod user;

pub(in crate::web) use current_session::CurrentSession;
pub(in crate::web) use host::HostPlace;
pub(in crate::web) use link::Link;
pub use menu::Menu;
pub(in crate::web) use page::Page;
pub(in crate::web) use user::asks_again;
pub use user::{Admin, RecentLogin, SameOrigin, Visitor};
