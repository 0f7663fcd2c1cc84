use rocket::http::Method;

use crate::harness::TestApp;

#[test]
fn a_person_sees_and_changes_their_profile() {
    let app = TestApp::with_ada();
    app.visit("/profile").is(200).says("Member since");
    app.submit("/profile", [("name", "  Ada Lovelace ")]).redirects_to("/profile");
    app.visit("/profile").says("Your name is saved.").shows_in("name", "Ada Lovelace");
    app.submit("/profile", [("name", "")]).redirects_to("/profile");
    app.visit("/profile")
        .says("name=\"name\" type=\"text\" autocomplete=\"name\" dir=\"auto\" value=\"\"");
}

#[test]
fn a_name_that_is_too_long_is_refused_and_kept_in_the_field() {
    let app = TestApp::with_ada();
    let long = "é".repeat(101);
    let seen = app.submit("/profile", [("name", &long)]).is(422).shows_in("name", &long);
    let seen = seen.says_beside("name", "at most 100 characters");
    assert!(seen.title().starts_with("Error: "));
    app.submit("/profile", [("name", &"é".repeat(100))]).redirects_to("/profile");
}

#[test]
fn a_visitor_has_to_sign_in_first() {
    let app = TestApp::new();
    app.visit("/profile").redirects_to("/login?next=/profile");
    app.post("/profile", [("name", "x")]).redirects_to("/login?next=/profile");
}

#[test]
fn browsers_get_the_page_and_programs_the_json() {
    let app = TestApp::with_ada();
    let get =
        |accept: &str| app.request(Method::Get, "/profile", &[("Accept", accept)], None).is(200);
    for accept in [
        "*/*",
        "application/json",
        "application/json, text/plain, */*",
        "text/html;q=0.5, application/json",
    ] {
        let seen = get(accept);
        seen.is_json(r#"{"email":"ada@example.com"}"#);
        assert_eq!(seen.header("vary"), Some("Accept"));
    }
    let chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for accept in [chrome, "text/html", "text/html, application/json;q=0.9"] {
        assert_eq!(get(accept).says("Member since").header("vary"), Some("Accept"));
    }
    app.request(Method::Get, "/profile", &[], None).is(200).says("Member since");
}

#[test]
fn a_program_renames_its_user() {
    let app = TestApp::with_ada();
    let seen = app.send_json(Method::Patch, "/api/v1/profile", r#"{"name":"Ada"}"#).is(200);
    assert_eq!(seen.json()["user"]["name"], "Ada");
    app.call(Method::Patch, "/api/v1/profile", [("name", &"x".repeat(101))]).is(400);
    let name = |body: &str| {
        let seen = app.send_json(Method::Patch, "/api/v1/profile", body).is(200);
        seen.json()["user"]["name"].clone()
    };
    assert_eq!(name("{}"), "Ada", "what is not said does not change");
    assert_eq!(name(r#"{"nam":"x"}"#), "Ada");
    assert!(name(r#"{"name":null}"#).is_null());
    app.post("/profile", []).is(422);
    app.other_browser().send_json(Method::Patch, "/api/v1/profile", "{}").is(401);
}

/// A form without the field is refused, and does not offer to delete the name.
#[test]
fn a_form_without_the_name_changes_nothing() {
    let app = TestApp::with_ada();
    app.submit("/profile", [("name", "Ada")]).redirects_to("/profile");
    app.post("/profile", [])
        .is(422)
        .says_beside("name", "This field is missing.")
        .shows_in("name", "Ada");
    app.visit("/profile").shows_in("name", "Ada");
}
