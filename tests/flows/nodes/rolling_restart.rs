//! Nodes are restarted one after the other behind a proxy.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use crate::harness::process::{Process, ask, form_post, sign_up_form};
use crate::harness::{ADA, SECRET_KEY, postgres};
use crate::proxies::{self, Proxy};

/// Promise 54: two nodes are restarted one after the other, again and again, during many sign-ins. No client
/// notices.
fn rolls(drain: &str, start_proxy: impl FnOnce(&Path, [u16; 2], u16) -> Option<Proxy>) {
    let Some(url) = postgres::new_postgres_database() else { return };
    let folder = TempDir::new().unwrap();
    let ports = [proxies::free_port(), proxies::free_port()];
    let start = |port: u16| {
        let settings = [
            ("VESTIBULE_DATABASE_URL", url.as_str()),
            ("ROCKET_SECRET_KEY", SECRET_KEY),
            ("ROCKET_PORT", &port.to_string()),
            ("VESTIBULE_DRAIN", drain),
            ("ROCKET_LOG_LEVEL", "debug"),
            ("VESTIBULE_TRUSTED_PROXIES", "127.0.0.1"),
            ("VESTIBULE_THROTTLE__ATTEMPTS_BY_IP", "1000000"),
        ];
        Process::start(folder.path(), &settings)
    };
    let mut nodes = ports.map(start);
    let front = proxies::free_port();
    let Some(_proxy) = start_proxy(folder.path(), ports, front) else { return };
    let signed_up = ask(front, &form_post("/signup", &sign_up_form(ADA)));
    assert!(signed_up.unwrap().starts_with("HTTP/1.1 303"));
    let is_over = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let request = form_post("/login", &sign_up_form(ADA));
                    let mut answers = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        let answer = ask(front, &request).unwrap_or_default();
                        answers.push(answer.lines().next().unwrap_or_default().to_owned());
                    }
                    answers
                })
            })
            .collect();
        for round in 0..4 {
            let n = round % 2;
            nodes[n].signal("-TERM");
            nodes[n].line("not ready any more");
            assert!(nodes[n].get("/health/ready").starts_with("HTTP/1.1 503"));
            nodes[n].wait();
            nodes[n] = start(ports[n]);
            // The proxy has noticed that it is back.
            nodes[n].line("POST /login");
        }
        is_over.store(true, Ordering::Relaxed);
        crowd.into_iter().flat_map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(answers.len() > 50, "{}", answers.len());
    let others: Vec<_> = answers.iter().filter(|line| !line.starts_with("HTTP/1.1 303")).collect();
    let errors = std::fs::read_to_string(folder.path().join("nginx.log")).unwrap_or_default();
    assert!(others.is_empty(), "of {}: {others:?} {errors}", answers.len());
}

/// The documented configuration, with these ports.
fn of_nodes(snippet: &str, ports: [u16; 2]) -> String {
    proxies::snippet(snippet)
        .replace("10.0.0.1:8000", &format!("127.0.0.1:{}", ports[0]))
        .replace("10.0.0.2:8000", &format!("127.0.0.1:{}", ports[1]))
}

#[test]
fn a_rolling_restart_behind_nginx_loses_no_request() {
    rolls("200ms", |folder, ports, front| {
        let server = format!(
            "{}\nserver {{ listen 127.0.0.1:{front}; proxy_connect_timeout 2s; \
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
             location / {{ proxy_pass http://accounts; }} }}",
            of_nodes("nginx-nodes", ports)
        );
        proxies::start_nginx(folder, &server, front)
    });
}

#[test]
fn a_rolling_restart_behind_caddy_loses_no_request() {
    rolls("2s", |folder, ports, front| {
        let text = format!(
            "{{\n    admin off\n    default_bind 127.0.0.1\n}}\nhttp://localhost:{front} {{\n{}\n}}\n",
            of_nodes("caddyfile-nodes", ports)
        );
        let config = folder.join("Caddyfile");
        std::fs::write(&config, text).unwrap();
        let words = ["run", "--adapter", "caddyfile", "--config", config.to_str().unwrap()];
        Proxy::start("caddy", folder, &words, front)
    });
}
