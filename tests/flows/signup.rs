use rocket::http::Method;

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

#[test]
fn a_person_signs_up_and_is_signed_in() {
    let app = TestApp::new();
    app.submit("/signup", [("email", ADA), ("password", PASSWORD), ("name", "Ada")])
        .redirects_to("/profile");
    app.visit("/profile").is(200).says(ADA).shows_in("name", "Ada");
    app.visit("/").says("Good to see you, Ada");
}

#[test]
fn sign_up_leads_on_to_where_the_person_wanted_to_go() {
    let app = TestApp::new();
    app.submit("/signup?next=/profile%3Fa", [("email", ADA), ("password", PASSWORD)])
        .redirects_to("/profile?a");
    app.visit("/signup?next=/x").redirects_to("/x");
    app.other_browser()
        .submit("/signup?next=//evil.example", [("email", "b@example.com"), ("password", PASSWORD)])
        .redirects_to("/profile");
}

#[test]
fn every_mistake_is_shown_beside_its_field_and_no_input_is_lost() {
    let app = TestApp::new();
    let long_name = "x".repeat(101);
    let seen = app
        .submit("/signup", [("email", "ada"), ("password", "secret-of-mine"), ("name", &long_name)])
        .is(422)
        .says_beside("email", "Enter an email address like name@example.com.")
        .says_beside("name", "Enter a name of at most 100 characters.")
        .shows_in("email", "ada")
        .shows_in("name", &long_name)
        .shows_in("password", "")
        .does_not_say("secret-of-mine");
    assert!(seen.title().starts_with("Error: "), "{}", seen.title());
    seen.says("aria-describedby=\"email-error\"").says("href=\"#email\"").says("autofocus");
    app.post("/signup", [])
        .is(422)
        .says_beside("email", "Enter your email address.")
        .says_beside("password", "Enter your password.");
    assert_eq!(app.count("users"), 0);
}

/// Promise 5: a weak password is said so beside the other mistakes, on the page and to programs.
#[test]
fn a_weak_password_is_not_hidden_by_another_mistake() {
    let app = TestApp::new();
    let form = [("email", "ada"), ("password", "password1"), ("name", &*"x".repeat(101))];
    let page = app.submit("/signup", form).is(422);
    let at = |field: &str| page.body.find(&format!("href=\"#{field}\"")).unwrap();
    assert!(at("email") < at("password") && at("password") < at("name"), "{}", page.body);
    page.says_beside("password", "too easy to guess").shows_in("password", "");
    let errors = app.call(Method::Post, "/api/v1/register", form).is(400).json()["errors"].clone();
    assert_eq!(errors.as_object().unwrap().len(), 3, "{errors}");
    let body = r#"{"email":"ada","password":"password1"}"#;
    let errors =
        app.send_json(Method::Post, "/api/v1/register", body).is(400).json()["errors"].clone();
    assert_eq!(errors.as_object().unwrap().len(), 2, "{errors}");
    // A good one is not blamed.
    let seen = app.submit("/signup", [("email", "ada"), ("password", PASSWORD)]).is(422);
    assert_eq!(seen.field("password").error, None);
}

/// Promise 11.
#[test]
fn a_taken_address_is_said_so_beside_the_field() {
    let app = TestApp::with_ada();
    let other = app.other_browser();
    other
        .submit("/signup", [("email", "ADA@example.com"), ("password", NEW_PASSWORD)])
        .is(422)
        .says_beside("email", "already an account");
    assert!(!other.is_signed_in());
}

/// Promise 13.
#[test]
fn spellings_of_one_address_are_one_account_and_the_typed_one_is_shown() {
    let app = TestApp::new();
    app.sign_up("Ada.L@Example.COM");
    app.visit("/profile").says("Ada.L@Example.COM");
    for email in [" ada.l@example.com ", "ADA.L@EXAMPLE.COM"] {
        app.other_browser().log_in(email, PASSWORD).redirects_to("/profile");
    }
    assert_eq!(app.texts("SELECT email_key FROM vestibule_users"), ["ada.l@example.com"]);
}

#[test]
fn concurrent_sign_ups_with_one_address_make_one_account() {
    let app = TestApp::new();
    let forms =
        [PASSWORD, NEW_PASSWORD, "a third way to say it", "and a fourth way of it"].map(|p| {
            let fields = [("email", ADA), ("password", p)];
            (Method::Post, "/signup".to_owned(), fields.map(|(k, v)| (k.to_owned(), v.to_owned())))
        });
    let mut statuses = app.send_all(forms.into_iter());
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422, 422, 422]);
    assert_eq!(app.count("users"), 1);
    assert_eq!(app.emails().len(), 1);
}

/// Promise 1.
#[test]
fn a_short_password_is_refused_counted_in_characters() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.password.min_strength", 0)));
    app.submit("/signup", [("email", "a@example.com"), ("password", "éééé😀😀😀")])
        .is(422)
        .says_beside("password", "Make it longer: use at least 8 characters.");
    app.submit("/signup", [("email", "a@example.com"), ("password", "éééé😀😀😀😀")])
        .redirects_to("/profile");
}

/// Promise 2.
#[test]
fn long_passwords_are_taken_and_every_byte_counts() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.password.min_strength", 0)));
    let cjk = "字".repeat(256);
    let emoji = "😀".repeat(64);
    let ascii: Vec<String> = [64, 72, 73, 256].map(|n| "ab3-".repeat(64)[..n].to_owned()).into();
    for (n, password) in ascii.iter().chain([&cjk, &emoji]).enumerate() {
        let (email, browser) = (format!("p{n}@example.com"), app.other_browser());
        browser
            .submit("/signup", [("email", &email), ("password", password)])
            .redirects_to("/profile");
        app.other_browser().log_in(&email, password).redirects_to("/profile");
    }
    let shared = "x".repeat(72);
    let (one, other) =
        (format!("{shared}{}", "1".repeat(28)), format!("{shared}{}", "2".repeat(28)));
    app.submit("/signup", [("email", "one@example.com"), ("password", &one)])
        .redirects_to("/profile");
    app.other_browser().log_in("one@example.com", &other).is(401);
}

/// Promise 3.
#[test]
fn an_endless_password_is_refused() {
    let app = TestApp::new();
    for password in ["a".repeat(257), "😀".repeat(257)] {
        app.submit("/signup", [("email", "a@example.com"), ("password", &password)])
            .is(422)
            .says_beside("password", "Use at most 256 characters.");
        app.submit("/login", [("email", "a@example.com"), ("password", &password)]).is(401);
    }
}

/// Promise 4.
#[test]
fn a_password_needs_no_digits_and_keeps_its_spaces() {
    let app = TestApp::new();
    let password = "  lanterns over water ";
    app.submit("/signup", [("email", "a@example.com"), ("password", password)])
        .redirects_to("/profile");
    app.other_browser().log_in("a@example.com", password.trim()).is(401);
    app.other_browser().log_in("a@example.com", password).redirects_to("/profile");
}

/// Promise 5.
#[test]
fn a_guessable_password_is_refused_with_advice() {
    let app = TestApp::new();
    for password in ["password1", "12345678", "qwertyuiop", "marlowe-lovelace"] {
        app.submit(
            "/signup",
            [("email", "marlowe-lovelace@example.com"), ("password", password), ("name", "")],
        )
        .is(422)
        .says_beside("password", "This password is too easy to guess.");
    }
    app.submit("/signup", [("email", "a@example.com"), ("password", "Vestibule1")]).is(422);
    assert_eq!(app.count("users"), 0);
}

/// Promise 5: nor is a password made of parts of the address or name accepted.
#[test]
fn a_password_of_the_parts_of_an_address_is_guessable() {
    let app = TestApp::new();
    let form = |email, name| [("email", email), ("password", "hrtombkqizwev"), ("name", name)];
    let refused = |email, name| app.other_browser().post("/signup", form(email, name)).is(422);
    refused("qizwev.hrtombk@example.com", "");
    refused(ADA, "Qizwev von Hrtombk");
    let taken = app.other_browser().post("/signup", form(ADA, "Ada"));
    taken.redirects_to("/profile");
}

/// Promise 6.
#[test]
fn a_password_is_stored_as_bcrypt_sha256() {
    let app = TestApp::with_ada();
    let hash = &app.texts("SELECT hash FROM vestibule_passwords")[0];
    let rest = hash.strip_prefix("$bcrypt-sha256$v=2,t=2b,r=4$").expect(hash);
    let (salt, digest) = rest.split_once('$').unwrap();
    assert_eq!((salt.len(), digest.len()), (22, 31));
}

/// Promise 8.
#[test]
fn forms_help_password_managers_and_never_send_a_password_back() {
    let app = TestApp::new();
    let signup = app.visit("/signup").body;
    assert!(signup.contains("id=\"email\" name=\"email\" type=\"email\" autocomplete=\"email\""));
    assert!(signup.contains("type=\"password\" autocomplete=\"new-password\""));
    let login = app.visit("/login").body;
    assert!(login.contains("type=\"email\" autocomplete=\"username\""));
    assert!(login.contains("type=\"password\" autocomplete=\"current-password\""));
    for page in [signup, login] {
        assert!(!page.contains("maxlength") && !page.contains("onpaste"), "{page}");
    }
    for path in ["/signup", "/login"] {
        app.submit(path, [("email", "not-an-address"), ("password", NEW_PASSWORD)])
            .does_not_say(NEW_PASSWORD);
    }
}

/// Promise 16.
#[test]
fn a_fresh_database_has_no_user() {
    let app = TestApp::new();
    assert_eq!(app.count("users"), 0);
}

/// Promise 40.
#[test]
fn unknown_fields_are_never_bound() {
    let app = TestApp::new();
    let fields = [
        ("email", ADA),
        ("password", PASSWORD),
        ("is_admin", "true"),
        ("id", "1"),
        ("email_verified_at", "1"),
        ("email_verified", "true"),
        ("disabled_at", "1"),
    ];
    app.post("/signup", fields).redirects_to("/profile");
    let session = app.ask(Method::Get, "/api/v1/session").json();
    assert_eq!(session["user"]["email_verified"], false);
    assert_ne!(session["user"]["id"], "1");
}

/// Promise 38.
#[test]
fn user_input_is_shown_as_text() {
    let app = TestApp::new();
    let name = "<script>alert(1)</script>\"'&";
    app.submit(
        "/signup",
        [("email", "o'hara&co@example.com"), ("password", PASSWORD), ("name", name)],
    )
    .redirects_to("/profile");
    let page = app.visit("/profile").body;
    assert!(!page.contains("<script>") && page.contains("&#60;script&#62;"), "{page}");
    let email = app.last_email();
    assert!(email.html.contains("o&#39;hara&#38;co@example.com"), "{}", email.html);
    for name in ["a\0b", "a\r\nBcc: b@example.com"] {
        app.other_browser()
            .post("/signup", [("email", "x@example.com"), ("password", PASSWORD), ("name", name)])
            .is(422)
            .says_beside("name", "without line breaks");
    }
}
