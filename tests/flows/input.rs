//! Input that strangers may send.

use rocket::http::Method::{self, Get, Patch, Post};

use crate::harness::process::{Process, answer, new_folder};
use crate::harness::{ADA, PASSWORD, TestApp, urlencoded};

/// Promise 39.
#[test]
fn bodies_have_a_limit_and_a_known_form() {
    let app = TestApp::new();
    let huge = format!("email=ada@example.com&password={}", "x".repeat(40_000));
    let accept = ("Accept", "text/html");
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for path in ["/signup", "/login", "/password-reset", "/users", "/api/v1/session"] {
        app.request(Post, path, &[accept, form], Some(&huge)).is(413);
        let json = ("Content-Type", "application/json");
        app.request(Post, path, &[accept, json], Some(&format!("\"{huge}\""))).is(413);
        let text = ("Content-Type", "text/plain");
        app.request(Post, path, &[accept, text], Some("email=x")).is(415);
        app.request(Post, path, &[accept], Some("email=x")).is(415);
    }
    app.request(Post, "/signup", &[accept, ("Content-Type", "application/json")], Some("{}"))
        .is(415);
    app.request(Post, "/signup", &[accept], None).is(422);
    app.request(Post, "/api/v1/register", &[accept], None).is(400);
}

/// Promise 39.
#[test]
fn a_multipart_form_is_read_like_any_other() {
    let app = TestApp::new();
    let field = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = format!("{}{}--b--\r\n", field("email", ADA), field("password", PASSWORD));
    let kind = ("Content-Type", "multipart/form-data; boundary=b");
    app.request(Post, "/signup", &[kind], Some(&body)).redirects_to("/profile");
    let huge = format!("{}--b--\r\n", field("email", &"x".repeat(40_000)));
    app.request(Post, "/signup", &[kind], Some(&huge)).is(413);
    let file = "--b\r\nContent-Disposition: form-data; name=\"email\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n";
    app.request(Post, "/signup", &[kind], Some(file)).is(422);
    for broken in ["", "--b", "--c--", "nonsense"] {
        let status = app.request(Post, "/signup", &[kind], Some(broken)).status;
        assert!(matches!(status, 400 | 422), "{broken:?}: {status}");
    }
}

/// Promise 39.
#[test]
fn malformed_json_is_refused() {
    let app = TestApp::with_ada();
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"email\"",
        "{\"name\":[]}",
        "{\"name\":{}}",
        "{\"name\":\"\\ud800\"}",
    ] {
        let seen = app.send_json(Patch, "/api/v1/profile", body).is(400);
        assert_eq!(seen.header("content-type"), Some("application/problem+json"), "{body}");
    }
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    app.send_json(Patch, "/api/v1/profile", &deep).is(400);
}

/// Promise 39.
#[test]
fn odd_bytes_cause_no_error() {
    let app = TestApp::new();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for body in [
        "%",
        "%zz=%",
        "email=%ff%fe&password=%00",
        "=&=&&",
        "email[]=a&email[x]=b",
        "email.x=1",
        "\u{0}",
    ] {
        for path in
            ["/signup", "/login", "/password-reset", "/users", "/sessions", "/api/v1/register"]
        {
            let status = app.request(Post, path, &[form], Some(body)).status;
            assert!((400..500).contains(&status), "{path} {body:?}: {status}");
        }
    }
    for path in [
        "/%",
        "/%00",
        "/%ff",
        "/login?next=%ff",
        "/login?next=%00&next=a",
        "/profile?%",
        "//",
        "/./..",
        "/password-reset/%ff",
    ] {
        let seen = app.request(Get, path, &[("Accept", "text/html")], None);
        assert!(seen.status < 500, "{path}: {}", seen.status);
    }
    let agent = "\u{1}<script>".repeat(1_000);
    let headers =
        [form, ("User-Agent", agent.as_str()), ("Cookie", "session_id=\"; a=b;;; =; session_id")];
    let body = format!("email=ada@example.com&password={}", PASSWORD.replace(' ', "+"));
    app.request(Post, "/signup", &headers, Some(&body)).redirects_to("/profile");
    let agents = app.texts("SELECT user_agent FROM vestibule_sessions");
    assert_eq!(agents[0].chars().count(), 256);
    assert!(!agents[0].contains('\u{1}'));
}

#[test]
fn a_page_that_is_not_there_has_a_page() {
    let app = TestApp::new();
    let seen = app.visit("/no/such/page").is(404).says("There is no page at this address.");
    assert!(seen.title().starts_with("Page not found"));
    app.request(Method::Post, "/nowhere", &[("Accept", "text/html")], None).is(404);
}

/// Promise 39: Rocket splits field names, and never finishes for some.
#[test]
fn no_field_name_blocks_a_thread() {
    let folder = new_folder();
    let service = Process::start(folder.path(), &[]);
    let request = |path: &str, kind: &str, body: &str| {
        answer(service.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )))
    };
    for name in ["=", "=x", "a.b=", "a[b]=x", "a[b]==", "email.=", "[=", ".=", "a]=", "\u{e9}.="] {
        let form = format!(
            "{}=1&email.{0}=1",
            urlencoded(&[(name.into(), String::new())]).trim_end_matches('=')
        );
        let json = format!("{{{name:?}:\"1\"}}");
        let multipart =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n1\r\n--b--\r\n");
        for path in ["/login", "/api/v1/session"] {
            for (kind, body) in [
                ("application/x-www-form-urlencoded", &form),
                ("application/json", &json),
                ("multipart/form-data; boundary=b", &multipart),
            ] {
                let seen = request(path, kind, body);
                let status = seen.split(' ').nth(1).unwrap_or_default();
                assert!(matches!(status, "400" | "415" | "422"), "{path} {kind} {body:?}: {seen}");
            }
        }
        let query = urlencoded(&[(name.into(), "1".into())]);
        assert!(service.get(&format!("/login?{query}")).contains("200 OK"));
    }
}

/// Promise 69: text that is not UTF-8 is no password, and opens no account.
#[test]
fn unreadable_input_is_refused_by_field() {
    let app = TestApp::new();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let send = |path: &str, body: &str| app.request(Post, path, &[form], Some(body));
    let unreadable = "email=ada%40example.com&password=quartz-lemon-otter-%E9%E8%FC";
    send("/signup", unreadable)
        .is(422)
        .says_beside("password", "characters that could not be read");
    let errors = send("/api/v1/register", unreadable).is(400).json()["errors"].clone();
    assert!(errors["password"].is_array() && errors.get("email").is_none(), "{errors}");
    send("/users", unreadable).is(400).says("password");
    assert_eq!(app.count("users"), 0);
    // Two passwords that become one if such bytes are replaced.
    let replaced = "email=ada%40example.com&password=quartz-lemon-otter-\u{fffd}\u{fffd}\u{fffd}";
    app.other_browser().request(Post, "/signup", &[form], Some(replaced)).redirects_to("/profile");
    send("/login", "email=ada%40example.com&password=quartz-lemon-otter-%E0%E1%E2").is(422);
    let multipart = ("Content-Type", "multipart/form-data; boundary=b");
    let head = "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n";
    app.sign_up("bob@example.com");
    app.request(Post, "/profile", &[multipart], Some(&format!("{head}Ren\u{e9}\r\n--b--\r\n")))
        .redirects_to("/profile");
    app.visit("/profile").shows_in("name", "Ren\u{e9}");
}

/// Promise 69: a JSON number is not accepted as text: its exact value would be lost.
#[test]
fn json_variants_are_understood() {
    let app = TestApp::new();
    for number in ["73910462850174936251047", "928374650.1900", "12345678901", "[]", "{}"] {
        let body = format!(r#"{{"email":"ada@example.com","password":{number}}}"#);
        let errors =
            app.send_json(Post, "/api/v1/register", &body).is(400).json()["errors"].clone();
        assert_eq!(errors["password"][0], "Send this as a text, in quotes.", "{number}");
        app.send_json(Post, "/users", &body).is(400).says("password");
        app.send_json(Post, "/sessions", &body).is(400).says("password");
    }
    // What some programs send before or beside the object.
    for (n, body) in [
        "\u{feff}{\"email\":\"ada0@example.com\",\"password\":\"P\"}",
        "{\"email\":\"ada1@example.com\",\"password\":\"P\",\"meta\":{\"app\":[1,2.5]}}",
        " {\"email\":\"ada2@example.com\",\"password\":\"P\",\"remember\":true,\"name\":null}",
    ]
    .into_iter()
    .enumerate()
    {
        let body = body.replace('P', "quartz-lemon-otter-42");
        app.send_json(Post, "/api/v1/register", &body).is(201);
        app.send_json(Post, "/api/v1/session", &body).is(200);
        assert_eq!(app.count("users"), i64::try_from(n).unwrap() + 1);
    }
}

/// Promise 4: it does not matter how a keyboard encodes an accent.
#[test]
fn a_password_in_another_normal_form_is_the_same() {
    let app = TestApp::new();
    let (nfc, nfd) = (
        "Gr\u{fc}\u{df}e aus K\u{f6}ln 17 \u{c4}pfel",
        "Gru\u{308}\u{df}e aus Ko\u{308}ln 17 A\u{308}pfel",
    );
    app.submit("/signup", [("email", ADA), ("password", nfd)]).redirects_to("/profile");
    app.other_browser().log_in(ADA, nfc).redirects_to("/profile");
    app.other_browser().log_in(ADA, nfd).redirects_to("/profile");
    app.other_browser().log_in(ADA, "Grusse aus Koln 17 Apfel").is(401);
    // An older hash was made from the password as typed, and is renewed.
    let old = bcrypt::hash(nfd, 4).unwrap();
    app.sql(&format!("UPDATE vestibule_passwords SET hash = '{old}'"));
    app.other_browser().log_in(ADA, nfc).is(401);
    app.other_browser().log_in(ADA, nfd).redirects_to("/profile");
    app.other_browser().log_in(ADA, nfc).redirects_to("/profile");
}

/// Promises 4 and 26: white space that was pasted around a password is forgiven in a browser that has opened the account
/// before; for strangers it would cost a second hash. In a password that was set with it, it counts.
#[test]
fn pasted_space_around_a_password_is_forgiven_where_it_costs_strangers_nothing() {
    let app = TestApp::with_ada();
    let pasted = format!("\t {PASSWORD}\u{a0}\r\n");
    app.sign_out();
    app.log_in(ADA, &pasted).redirects_to("/profile");
    app.change_password(&pasted, " a quiet morning tide ").redirects_to("/profile");
    app.sign_out();
    app.log_in(ADA, "a quiet morning tide").is(401);
    app.log_in(ADA, "  a quiet morning tide  ").is(401);
    app.log_in(ADA, " a quiet morning tide ").redirects_to("/profile");
    app.other_browser().log_in(ADA, " a quiet morning tide ").redirects_to("/profile");
    // An imported hash is renewed from the password as it was set.
    let old = bcrypt::hash(PASSWORD, 4).unwrap();
    app.sql(&format!("UPDATE vestibule_passwords SET hash = '{old}'"));
    app.other_browser().log_in(ADA, &pasted).is(401);
    app.sign_out();
    app.log_in(ADA, &pasted).redirects_to("/profile");
    assert!(app.texts("SELECT hash FROM vestibule_passwords")[0].starts_with("$bcrypt-sha256$"));
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Promise 13: a pasted address is accepted, or refused with a reason.
#[test]
fn a_pasted_address_is_understood() {
    let app = TestApp::new();
    for (n, text) in [
        "ada0@example.com\u{a0}",
        "\u{feff}ada1@example.com\u{200b}",
        "Ada <ada2@example.com>",
        "mailto:ada3@example.com",
        "ada4\u{ff20}example.com\n",
        "\u{202a}ada5@example.com\u{202c}\u{2060}",
        "\u{3000}\u{fffc}ada6@example.com\u{2800}",
        "mailto:ada7%40example.com?subject=Hello",
    ]
    .into_iter()
    .enumerate()
    {
        app.other_browser()
            .submit("/signup", [("email", text), ("password", PASSWORD)])
            .redirects_to("/profile");
        assert_eq!(app.count(&format!("users WHERE email = 'ada{n}@example.com'")), 1, "{text:?}");
    }
    // Everywhere an address is read, by people and programs. These send emails.
    app.emails_do_not_matter();
    let pasted = "\u{feff}mailto:ada0@example.com\u{200b}";
    let ada = app.other_browser();
    ada.log_in(pasted, PASSWORD).redirects_to("/profile");
    ada.sign_out();
    ada.submit("/password-reset", [("email", pasted)]).redirects_to("/password-reset-sent");
    ada.visit("/password-reset-sent").says("the email address ada0@example.com");
    let json = |path: &str, status: u16| {
        let body = format!("{{\"email\":{pasted:?},\"password\":{PASSWORD:?}}}");
        app.other_browser()
            .send_json(
                Post,
                path,
                &body.replace("\\u{feff}", "\u{feff}").replace("\\u{200b}", "\u{200b}"),
            )
            .is(status)
    };
    json("/api/v1/session", 200);
    json("/api/v1/register", 400).says("already an account");
    json("/api/v1/reset_password", 200).says("ada0@example.com");
    app.other_browser()
        .call(Post, "/sessions", [("email", pasted), ("password", PASSWORD)])
        .is(200);
    app.other_browser().call(Post, "/users", [("email", pasted), ("password", PASSWORD)]).is(400);
    // A letter of its own in Turkish, in a domain of its own; it could be taken for an i, so the page shows its A-label.
    let turkish = app.other_browser();
    turkish
        .submit("/signup", [("email", "ada@\u{131}s\u{131}tma.example"), ("password", PASSWORD)])
        .redirects_to("/profile");
    turkish.visit("/profile").says("ada@xn--stma-kzab.example");
    app.other_browser().log_in("ada@\u{131}s\u{131}tma.example", PASSWORD).redirects_to("/profile");
    app.other_browser().log_in("ada@isitma.example", PASSWORD).is(401);
    for (text, why) in [
        ("ada..x@docomo.example", "two dots in a row"),
        ("ada.@docomo.example", "begin or end with a dot"),
        ("j\u{f6}rg@example.com", "letters such as"),
        ("ada@\u{ff45}xample.com", "only looks like another"),
        ("ada @example.com", "without spaces"),
        ("ada@example", "not a domain that mail can be sent to"),
    ] {
        app.submit("/signup", [("email", text), ("password", PASSWORD)])
            .is(422)
            .says_beside("email", why);
    }
}

/// Promises 1 and 5: the page accepts what it asks for.
#[test]
fn a_short_random_password_is_asked_to_be_longer() {
    let app = TestApp::new();
    app.visit("/signup").says("At least 9 characters.");
    for password in ["J6-dk9Fq", "Xv3?kQ9w", "u+8RmZ1c", "雪国長靴納豆風呂", "Ж9ёя#Щ2ъ"]
    {
        app.submit("/signup", [("email", ADA), ("password", password)])
            .is(422)
            .says_beside("password", "Make it longer: use at least 9 characters.");
        let longer = format!("{password}7");
        app.other_browser()
            .submit(
                "/signup",
                [
                    ("email", &*format!("p{}@example.com", app.count("users"))),
                    ("password", &longer),
                ],
            )
            .redirects_to("/profile");
    }
}

/// Promise 36: only files that never change are cached for a long time.
#[test]
fn a_file_of_another_version_is_not_kept() {
    let app = TestApp::new();
    let page = app.visit("/login").body;
    let link =
        page.split("href=\"/static/vestibule.css").nth(1).unwrap().split('"').next().unwrap();
    let cached = |query: &str| {
        let seen = app.visit(&format!("/static/vestibule.css{query}")).is(200);
        seen.header("cache-control").unwrap().to_owned()
    };
    assert_eq!(cached(link), "public, max-age=31536000, immutable");
    for other in ["", "?", "?00000000", "?x=y"] {
        assert_eq!(cached(other), "no-cache", "{other}");
    }
    assert_eq!(app.visit("/static/nothing.css").is(404).header("cache-control"), Some("no-store"));
}
