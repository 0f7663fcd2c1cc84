//! Which URL leads where: the whole HTTP surface on one screen.

use rocket::{Catcher, Route, catchers, routes};

use crate::web::fairings::{OWN, limits, origin};
use crate::web::pages::{
    home, login, password_change, password_reset, profile, signup, verify_email,
};
use crate::web::{api, assets, errors, health, legacy_api, links, session};

/// The pages and `/api/v1`, for any Rocket.
pub(crate) fn routes() -> Vec<Route> {
    routes![
        signup::show,
        signup::submit,
        login::show,
        login::submit,
        session::log_out,
        profile::show,
        profile::submit,
        password_change::show,
        password_change::submit,
        password_reset::show,
        password_reset::submit,
        password_reset::show_link,
        password_reset::submit_link,
        verify_email::submit,
        verify_email::show_link,
        verify_email::submit_link,
        health::live,
        health::ready,
        links::change_password,
        assets::style,
        assets::theme_css,
        assets::favicon,
        origin::refused,
        limits::too_long,
        limits::unknown_method,
        limits::unreadable,
        api::register,
        api::log_in,
        api::show_session,
        api::log_out,
        api::rename,
        api::change_password,
        api::request_password_reset,
        api::reset_password,
    ]
}

/// What the binary has besides: the front page, and the routes of older clients.
pub(crate) fn service_routes() -> Vec<Route> {
    routes![
        home::show,
        legacy_api::sign_up,
        legacy_api::log_in,
        legacy_api::log_out,
        legacy_api::request_password_reset,
        legacy_api::reset_password,
    ]
}

/// What draws errors, and for which paths of [`routes()`].
pub(crate) fn catchers() -> (Vec<Catcher>, impl Iterator<Item = String>) {
    (catchers![errors::catch], OWN.into_iter().map(|own| format!("/{own}")))
}

/// For an app that has nothing of its own for requests that Rocket could not read.
pub(crate) fn unreadable() -> Vec<Catcher> {
    catchers![errors::unreadable]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::fairings::is_own_path;

    /// Promise 32: a page that is not under one of our own paths would have no cross-site check in
    /// somebody else's app.
    #[test]
    fn every_route_lies_under_a_path_of_ours() {
        for route in routes() {
            let path = route.uri.path();
            assert!(is_own_path(path), "{path}");
        }
    }
}
