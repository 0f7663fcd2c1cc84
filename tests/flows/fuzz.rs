//! Random requests to every route: no input of a stranger causes an error of ours. Takes seconds in `cargo test`;
//! `FUZZ_REQUESTS=100000 cargo test fuzz` runs more.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rocket::http::Method;

use crate::harness::{ADA, PASSWORD, TestApp};

const METHODS: [Method; 8] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
    Method::Options,
    Method::Trace,
];

const KINDS: [&str; 7] = [
    "application/x-www-form-urlencoded",
    "application/json",
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    "text/plain",
    "",
    "application/x-www-form-urlencoded; charset=\"",
];

/// Text as strangers send it: mostly almost valid.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z]{1,8}@[a-z]{1,8}\\.(com|example|\u{fc}b\u{fc}cher)",
        3 => "\\PC{0,40}",
        1 => "[\\x00-\\x7f]{0,40}",
        1 => "(%[0-9a-f]{2}|\\+|&|=|\\[|\\]|\\.){0,20}",
        1 => "[a-zA-Z0-9_-]{43}",
        1 => "x{250,300}",
        1 => "seven purple lanterns",
    ]
}

fn body() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => prop::sample::select(vec![
            "email", "password", "new_password", "name", "next", "remember", "reset_token", "_method"
        ]).prop_map(str::to_owned),
        // Rocket's syntax for nested fields.
        1 => "[a-z]{0,5}[.\\[\\]:=]{1,3}[a-z]{0,5}[\\]=]{0,2}",
        1 => text(),
    ];
    let fields = prop::collection::vec((name, text()), 0..5);
    (fields, 0..5).prop_map(|(fields, form)| match form {
        0 => fields.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&"),
        1 => crate::harness::urlencoded(&fields),
        2 => {
            let members: Vec<String> = fields.iter().map(|(k, v)| format!("{k:?}:{v:?}")).collect();
            format!("{{{}}}", members.join(","))
        }
        3 => fields
            .iter()
            .map(|(k, v)| {
                format!("--b\r\nContent-Disposition: form-data; name=\"{k}\"\r\n\r\n{v}\r\n")
            })
            .chain(["--b--\r\n".to_owned()])
            .collect(),
        _ => fields.into_iter().map(|(_, v)| v).collect(),
    })
}

#[test]
fn no_request_is_answered_with_a_fault() {
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.throttle.attempts_by_ip", 1_000_000))
            .merge(("vestibule.throttle.emails_by_ip", 1_000_000))
    });
    app.sign_up(ADA);
    let hash = app.texts("SELECT hash FROM vestibule_passwords").remove(0);
    let mut paths = app.paths();
    paths.extend(
        [
            "/password-reset/Ab_JqkhHwM_Us5_7leP7oP-oR4g-k4rXvukmiVbNs3Q",
            "/verify-email/x",
            "/nowhere",
        ]
        .map(str::to_owned),
    );
    let mut sealed = app.session_cookie().unwrap();
    let requests: usize =
        std::env::var("FUZZ_REQUESTS").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let request = (
        prop::sample::select(paths),
        prop::option::of(text()),
        prop::sample::select(METHODS.to_vec()),
        prop::sample::select(KINDS.to_vec()),
        body(),
        (text(), text(), 0..4),
    );
    let chosen = std::env::var("FUZZ_SEED").ok().and_then(|n| n.parse().ok());
    let chance: u64 = chosen.unwrap_or_else(|| u64::from(getrandom::u32().unwrap()));
    println!("FUZZ_SEED={chance}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&chance.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let browser = app.other_browser();
    let (mut sent, mut signed_in) = (0, 0);
    while sent < requests {
        let (path, query, method, kind, body, (agent, cookie, signed)) =
            request.new_tree(&mut runner).unwrap().current();
        let name = if signed == 0 { "" } else { "next=" };
        let query = query.map_or_else(String::new, |q| format!("?{name}{}", q.replace('#', "")));
        // The local client refuses a URI that hyper would have refused.
        let uri = format!("{path}{query}");
        if rocket::http::uri::Origin::parse(&uri).is_err() {
            continue;
        }
        let cookie = match signed {
            0 => {
                format!("session_id={cookie}; vestibule_device={agent}; vestibule_notice={cookie}")
            }
            1 => cookie,
            _ => format!("session_id={sealed}"),
        };
        let mut headers = vec![("User-Agent", agent.as_str()), ("Cookie", &cookie)];
        if !kind.is_empty() {
            headers.push(("Content-Type", kind));
        }
        let seen = browser.request(method, &uri, &headers, Some(&body));
        assert!(seen.status < 500, "{method} {uri} {kind} {body:?} {cookie:?}: {}", seen.status);
        browser.cookies.borrow_mut().clear();
        sent += 1;
        // Some requests sign out, change the password, or delete the account.
        if signed > 1 {
            signed_in += 1;
            let owner = app.other_browser();
            owner.cookies.borrow_mut().insert("session_id".into(), sealed.clone());
            if !owner.is_signed_in() {
                app.sql("UPDATE vestibule_users SET disabled_at = NULL, delete_at = NULL");
                app.sql(&format!(
                    "UPDATE vestibule_passwords SET hash = '{hash}' \
         WHERE user_id IN (SELECT id FROM vestibule_users WHERE email_key = 'ada@example.com')"
                ));
                owner.log_in(ADA, PASSWORD).redirects_to("/profile");
                sealed = owner.session_cookie().unwrap();
            }
        }
    }
    assert!(signed_in > requests / 3, "{signed_in} of {requests} were signed in");
    // Some requested another link.
    app.emails();
}
