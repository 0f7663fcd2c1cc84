//! What strangers may send.

use rocket::http::Method::{self, Get, Patch, Post};

use crate::harness::{PASSWORD, TestApp, urlencoded};
use crate::process::{Process, answer, new_folder};

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
    let body =
        format!("{}{}--b--\r\n", field("email", "ada@example.com"), field("password", PASSWORD));
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
    let app = TestApp::new();
    app.sign_up("ada@example.com");
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
fn odd_bytes_are_nobodys_fault() {
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
    let agents = app.texts("SELECT user_agent FROM sessions");
    assert_eq!(agents[0].chars().count(), 256);
    assert!(!agents[0].contains('\u{1}'));
}

#[test]
fn a_page_that_is_not_there_has_a_page() {
    let app = TestApp::new();
    let seen = app.visit("/no/such/page").is(404).says("There is no page at this address.");
    assert!(seen.title().starts_with("Not found"));
    app.request(Method::Post, "/nowhere", &[("Accept", "text/html")], None).is(404);
}

/// Promise 39: Rocket takes field names apart, and never comes to an end of some.
#[test]
fn no_field_name_holds_a_thread_for_ever() {
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
