//! The request guards: the signed-in user, the client, and the followed link.

pub(in crate::web) mod client;
mod cookies;
mod current_session;
mod draft;
mod host;
mod link;
mod menu;
mod page;
mod sign_in_first;
mod user;

pub(in crate::web) use cookies::FormCookies;
pub(in crate::web) use current_session::{CurrentSession, look_up};
pub use draft::Draft;
pub(in crate::web) use host::HostPlace;
pub(in crate::web) use link::Link;
pub use menu::Menu;
pub(in crate::web) use page::Page;
pub use sign_in_first::{SignInFirst, sign_in_first};
use user::asks_again;
pub use user::{Admin, RecentLogin, SameOrigin, Visitor};
