//! The routes: all URLs on one screen, and the only list of our paths.

use std::collections::BTreeMap;

use rocket::{Build, Catcher, Rocket, Route, catchers, routes};
use utoipa::OpenApi;

use crate::config::Config;
use crate::urls::Urls;
use crate::web::catchers::{OwnErrors, unreadable};
use crate::web::openapi::Document;
use crate::web::paths::{ErrorStyle, OwnPath, OwnPaths, WholeService};
use crate::web::{api, assets, fairings, health, legacy_api, openapi, pages, rejected};

/// The rank of every route: that of a static path in Rocket.
const RANK: isize = -9;

/// Routes below one path, whose errors have the same form.
struct Area {
    /// `/` means only the paths of its routes.
    base: &'static str,
    errors: ErrorStyle,
    routes: Vec<Route>,
    /// The part of the document about its routes for programs.
    documented: utoipa::openapi::OpenApi,
    /// Whether it is at the root of the site, wherever the service is mounted.
    is_at_root: bool,
}

impl Area {
    fn new(base: &'static str, errors: ErrorStyle, routes: Vec<Route>) -> Self {
        let documented = Nothing::openapi();
        Self { base, errors, routes, documented, is_at_root: false }
    }
}

#[derive(OpenApi)]
struct Nothing;

/// The part of the document about these handlers.
macro_rules! documented {
    ($($($part:ident)::+),* $(,)?) => {{
        #[derive(OpenApi)]
        #[openapi(paths($($($part)::+),*))]
        struct Documented;
        Documented::openapi()
    }};
}

/// An area whose routes are all for programs, and in the document.
macro_rules! area_for_programs {
    ($base:literal, $errors:expr, [$($($part:ident)::+),* $(,)?]) => {
        Area {
            documented: documented![$($($part)::+),*],
            ..Area::new($base, $errors, routes![$($($part)::+),*])
        }
    };
}

/// The pages and `/api/v1`, for any Rocket.
fn areas() -> Vec<Area> {
    let people = routes![
        pages::sign_up::show,
        pages::sign_up::submit,
        pages::sign_up_sent::show,
        pages::sign_up_sent::submit,
        pages::sign_up_link::show_link,
        pages::sign_up_link::submit_link,
        pages::invitation::show_link,
        pages::invitation::submit_link,
        pages::sign_in::show,
        pages::sign_in::submit,
        pages::sign_in::go_on,
        pages::recent_login::show,
        pages::recent_login::submit,
        pages::sign_out::show,
        pages::sign_out::submit,
        pages::password_change::show,
        pages::password_change::submit,
        pages::password_reset::show,
        pages::password_reset::submit,
        pages::password_reset::show_sent,
        pages::password_reset::show_link,
        pages::password_reset::submit_link,
        pages::set_password::show_link,
        pages::set_password::submit_link,
        pages::verify_email::submit,
        pages::verify_email::show_link,
        pages::verify_email::submit_link,
        pages::security::show,
        pages::email_change::show,
        pages::email_change::submit,
        pages::email_change::cancel,
        pages::email_change::show_link,
        pages::email_change::submit_link,
        pages::email_undo::show_link,
        pages::email_undo::submit_link,
        pages::not_me::show,
        pages::not_me::submit,
        pages::not_me::show_link,
        pages::not_me::submit_link,
        pages::sessions::end,
        pages::sessions::end_others,
        pages::activity::show,
        pages::your_data::show,
        pages::your_data::export,
        pages::account_deletion::show,
        pages::account_deletion::submit,
        pages::account_deletion::show_link,
        pages::account_deletion::submit_link,
        assets::style,
        assets::theme_css,
        assets::extra_style,
        assets::script,
        assets::logo,
        assets::favicon,
        assets::touch_icon,
    ];
    // What older clients ask for too.
    let profile = routes![pages::profile::show, pages::profile::submit, pages::sessions::show];
    let monitoring = area_for_programs!("/health", ErrorStyle::Page, [health::live, health::ready]);
    let rejections = routes![rejected::cross_site, rejected::too_long, rejected::unreadable,];
    let well_known = routes![pages::password_change::well_known];
    // Rocket tries the routes in this order: the most requested first.
    vec![
        Area::new("/", ErrorStyle::PageOrMessage, profile),
        programs(),
        Area::new("/", ErrorStyle::Page, people),
        monitoring,
        Area::new("/-", ErrorStyle::Page, rejections),
        Area { is_at_root: true, ..Area::new("/", ErrorStyle::Page, well_known) },
    ]
}

/// `/api/v1`.
fn programs() -> Area {
    area_for_programs!(
        "/api/v1",
        ErrorStyle::Problem,
        [
            openapi::document,
            api::session::show,
            api::session::sign_in,
            api::session::renew_login,
            api::sign_up::register,
            api::sign_up::send_link,
            api::sign_up::confirm,
            api::sign_up::accept,
            api::account::change_profile,
            api::account::delete,
            api::sessions::list,
            api::sessions::end,
            api::sessions::end_others,
            api::activity::list,
            api::activity::export,
            api::email::ask,
            api::email::cancel,
            api::email::confirm,
            api::email::undo,
            api::links::not_me,
            api::links::restore,
            api::session::sign_out,
            api::password::change,
            api::password::ask_for_reset,
            api::password::reset,
            api::password::set_first,
            api::email::ask_to_verify,
            api::email::verify,
            api::links::look,
        ]
    )
}

/// Additional routes of the binary: the front page, what browsers and search engines look for at the root of a site, and
/// the routes of older clients.
fn service_areas() -> Vec<Area> {
    let older_clients = area_for_programs!(
        "/",
        ErrorStyle::Message,
        [
            legacy_api::sign_up,
            legacy_api::sign_in,
            legacy_api::sign_out,
            legacy_api::ask_for_reset,
            legacy_api::reset,
        ]
    );
    let of_site = routes![assets::favicon_ico, assets::apple_touch_icon, assets::robots];
    vec![
        Area {
            documented: documented![pages::home::show, pages::profile::show],
            ..Area::new("/", ErrorStyle::PageOrMessage, routes![pages::home::show])
        },
        Area::new("/", ErrorStyle::Page, of_site),
        older_clients,
        Area::new("/api", ErrorStyle::Problem, Vec::new()),
    ]
}

impl Area {
    /// The path that its routes are mounted at.
    fn mounted_at(&self, urls: &Urls) -> String {
        match (self.base, if self.is_at_root { "" } else { urls.base() }) {
            (base, "") => base.to_owned(),
            ("/", under) => under.to_owned(),
            (base, under) => format!("{under}{base}"),
        }
    }

    /// Its routes with one documented rank: a host's route for the same path collides, which ends the launch with a
    /// message, unless its rank says which one is meant.
    fn ranked(mut self) -> Vec<Route> {
        for route in &mut self.routes {
            route.rank = RANK;
        }
        self.routes
    }

    /// The paths of its routes.
    fn paths(&self, urls: &Urls, is_whole_service: bool) -> Vec<OwnPath> {
        let at = self.mounted_at(urls);
        let at = at.trim_end_matches('/');
        // The page of a mailed link has many paths: `link` stands for its secret.
        let mut paths: BTreeMap<String, bool> = BTreeMap::new();
        for route in &self.routes {
            let path = route.uri.path();
            let page = path.strip_suffix("/link");
            *paths.entry(format!("{at}{}", page.unwrap_or(path))).or_default() |= page.is_some();
        }
        // Errors below an area look like its own; in a host app, what has no route of ours is the host's.
        let folder = (is_whole_service && self.base != "/").then(|| (at.to_owned(), true));
        let own = |(path, is_folder)| OwnPath { path, is_folder, errors: self.errors };
        paths.into_iter().chain(folder).map(own).collect()
    }
}

/// Mounts all routes, the error catchers, and the fairings.
pub(crate) fn mount(rocket: Rocket<Build>, config: &Config) -> Rocket<Build> {
    let urls = &config.urls;
    let is_whole_service = rocket.state::<WholeService>().is_some();
    let mut areas = areas();
    if is_whole_service {
        areas.extend(service_areas());
    }
    let own: Vec<OwnPath> =
        areas.iter().flat_map(|area| area.paths(urls, is_whole_service)).collect();
    let bases: Vec<&str> =
        if is_whole_service { vec!["/"] } else { own.iter().filter_map(OwnPath::base).collect() };
    let rocket = bases
        .into_iter()
        .fold(rocket, |rocket, base| rocket.register(base, vec![OwnErrors::catcher()]));
    let rocket = with_plain_catcher(rocket);
    let parts =
        areas.iter_mut().map(|area| (area.base, area.errors, std::mem::take(&mut area.documented)));
    let document = Document::of(parts, config);
    areas
        .into_iter()
        .fold(rocket, |rocket, area| rocket.mount(area.mounted_at(urls), area.ranked()))
        .manage(OwnPaths(own))
        .manage(document)
        .attach(fairings::fairing())
}

/// Adds a catcher for requests that Rocket cannot parse, unless the app has one: no fairing sees them, and a long
/// `Accept` can bring down Rocket's own catcher.
fn with_plain_catcher(rocket: Rocket<Build>) -> Rocket<Build> {
    let is_for_it = |catcher: &Catcher| {
        catcher.base.path() == "/" && catcher.code.is_none_or(|code| code == 400)
    };
    if rocket.catchers().any(is_for_it) {
        return rocket;
    }
    rocket.register("/", catchers![unreadable])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::openapi::path::PathItem;

    use super::*;
    use crate::auth::Purpose;
    use crate::urls;

    /// All routes, one per line, as in `routes.txt`.
    fn table() -> Vec<String> {
        let areas = areas().into_iter().chain(service_areas());
        let routes = areas.flat_map(|area| {
            let base = area.base;
            area.ranked().into_iter().map(move |route| {
                let route = route.map_base(|_| base.into()).unwrap();
                let name = route.name.clone().unwrap_or_default();
                let format = route.format.as_ref().map_or("-".into(), ToString::to_string);
                format!("{} {} {} {format} {name}", route.method, route.uri, route.rank)
            })
        });
        let mut table: Vec<String> = routes.collect();
        table.sort_by_key(|line| line.split_once(' ').map(|(_, rest)| rest.to_owned()));
        table
    }

    /// Shows routes that were moved or are no longer mounted.
    #[test]
    fn the_table_of_routes_is_the_one_that_is_written_down() {
        let table = table().join("\n");
        assert_eq!(include_str!("routes.txt").trim_end(), table, "\n{table}");
    }

    /// What a handler's annotation says of it is what Rocket mounts.
    #[test]
    fn every_route_for_programs_is_in_the_document_and_no_other() {
        let mut mounted = BTreeSet::new();
        let mut documented = BTreeSet::new();
        for area in areas().into_iter().chain(service_areas()) {
            let base = area.base.trim_end_matches('/');
            let is_for_programs = !area.documented.paths.paths.is_empty()
                || matches!(area.errors, ErrorStyle::Problem | ErrorStyle::Message);
            for (path, item) in &area.documented.paths.paths {
                let PathItem { get, post, put, patch, delete, .. } = item;
                let methods = [
                    ("GET", get),
                    ("POST", post),
                    ("PUT", put),
                    ("PATCH", patch),
                    ("DELETE", delete),
                ];
                let methods = methods.into_iter().filter(|(_, operation)| operation.is_some());
                documented.extend(methods.map(|(method, _)| format!("{method} {base}{path}")));
            }
            let routes = area.routes.iter().filter(|_| is_for_programs);
            mounted.extend(routes.map(|route| {
                let path = route.uri.path().replace('<', "{").replace('>', "}");
                format!("{} {base}{path}", route.method)
            }));
        }
        // It is mounted with the pages, since a host app has it too.
        mounted.insert("GET /profile".to_owned());
        assert_eq!(documented, mounted);
    }

    #[test]
    fn every_url_has_a_route() {
        let table = table();
        let has = |path: &str| table.iter().any(|line| line.split([' ', '?']).nth(1) == Some(path));
        for path in [
            urls::FRONT_PAGE.as_str(),
            urls::SIGN_UP.as_str(),
            urls::SIGN_UP_SENT.as_str(),
            urls::SIGN_IN.as_str(),
            urls::RECENT_LOGIN.as_str(),
            urls::SIGN_IN_GO_ON.as_str(),
            urls::SIGN_OUT.as_str(),
            urls::PROFILE.as_str(),
            urls::PASSWORD_CHANGE.as_str(),
            urls::PASSWORD_RESET.as_str(),
            urls::PASSWORD_RESET_SENT.as_str(),
            urls::VERIFY_EMAIL.as_str(),
            urls::STYLE.as_str(),
            urls::THEME.as_str(),
            urls::EXTRA_STYLE.as_str(),
            urls::SCRIPT.as_str(),
            urls::LOGO.as_str(),
            urls::FAVICON.as_str(),
            urls::TOUCH_ICON.as_str(),
            urls::CROSS_SITE,
            urls::TOO_LONG,
            urls::UNREADABLE,
        ] {
            assert!(has(path), "{path}");
        }
        for purpose in Purpose::ALL {
            assert!(has(&Urls::default().link(purpose.page(), "link")), "{purpose:?}");
        }
        let is_link = |line: &&String| line.split([' ', '?']).any(|part| part.ends_with("/link"));
        let links = table.iter().filter(is_link).count();
        assert_eq!(links, 2 * Purpose::ALL.len(), "every page of a link keeps its secret");
    }

    /// A host app's paths stay its own.
    #[test]
    fn a_guest_owns_the_paths_of_its_routes() {
        let urls = Urls::default();
        let own = OwnPaths(areas().iter().flat_map(|area| area.paths(&urls, false)).collect());
        for path in [
            "/login",
            "/login/",
            "/password-reset/secret",
            "/set-password/secret",
            "/api/v1/session",
            "/health/live",
        ] {
            assert!(own.contains(path), "{path}");
        }
        for path in [
            "/",
            "/loginx",
            "/login/x",
            "/users",
            "/api",
            "/api/v1",
            "/api/v1/notes",
            "/static/mine.css",
            "/profile/settings",
            "/health/db",
            "/-/x",
        ] {
            assert!(!own.contains(path), "{path}");
        }
    }
}
