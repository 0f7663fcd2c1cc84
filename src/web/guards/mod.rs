//! What a handler may ask for besides the body: who is signed in, who asks, which link was followed.

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
