//! The request guards: the signed-in user, the client, and the followed link.

pub(in crate::web) mod client;
mod host;
mod link;
mod page;
mod recent_login;
mod visitor;

pub(in crate::web) use host::HostPlace;
pub(in crate::web) use link::Link;
pub(in crate::web) use page::Page;
pub use recent_login::RecentLogin;
pub(in crate::web) use visitor::Visitor;
