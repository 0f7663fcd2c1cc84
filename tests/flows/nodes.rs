//! Several nodes on one PostgreSQL, and what befalls the way there. On SQLite there is one node and no way.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocket::serde::json::Value;
use tempfile::TempDir;
use vestibule::Clock;

use crate::gate::Gate;
use crate::harness::{self, NEW_PASSWORD, PASSWORD, SECRET_KEY, TestApp};
use crate::mail_server::MailServer;
use crate::process::{Process, answer, ask, command, form_post, new_folder, sign_up_form};
use crate::proxies::{self, Proxy};

const YEAR: Duration = Duration::from_hours(365 * 24);

/// A service that reaches PostgreSQL through a gate; `None` where these stories run on SQLite.
fn behind_a_gate(settings: &[(&str, &str)]) -> Option<(Gate, Process, TempDir)> {
    let (gate, url) = harness::gate_before(&harness::new_postgres_database()?);
    let folder = TempDir::new().unwrap();
    let mut all = vec![("VESTIBULE_DATABASE_URL", url.as_str()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    all.extend(settings);
    let service = Process::start(folder.path(), &all);
    Some((gate, service, folder))
}

const STATEMENT_TIMEOUT: &str = "ROCKET_DATABASES__VESTIBULE__STATEMENT_TIMEOUT";

fn log_in(service: &Process) -> String {
    let form = format!("email=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
    answer(service.post("/login", &form))
}

/// Promise 53: an address moves off a dead host. No connection ever hears of it, and new ones are fine.
#[test]
fn a_network_that_swallows_everything_is_got_over() {
    let mail = MailServer::start(vec![]);
    let smtp = format!("smtp://127.0.0.1:{}", mail.port);
    let settings = [("VESTIBULE_MAIL__SMTP_URL", smtp.as_str()), (STATEMENT_TIMEOUT, "1")];
    let Some((gate, service, _folder)) = behind_a_gate(&settings) else { return };
    service.sign_up("ada@example.com");
    assert!(mail.letter().contains("ada@example.com"));
    let mut failures = 0;
    for _ in 0..3 {
        gate.silence();
        while !log_in(&service).starts_with("HTTP/1.1 303") {
            failures += 1;
            assert!(failures < 20, "it never comes back");
        }
    }
    // The own connections were silenced as well, whatever it was doing.
    let asked = answer(service.post("/password-reset", "email=ada%40example.com"));
    assert!(asked.starts_with("HTTP/1.1 200"), "{asked}");
    assert!(mail.letter().contains("/password-reset/"));
}

/// Promise 54: a commit gets no answer, and the service is told to stop.
#[test]
fn a_commit_that_hangs_does_not_keep_a_stop_waiting() {
    let settings = [("ROCKET_SHUTDOWN__GRACE", "1"), (STATEMENT_TIMEOUT, "600")];
    let Some((gate, service, _folder)) = behind_a_gate(&settings) else { return };
    gate.swallow("COMMIT");
    let _waits = service.post("/signup", &sign_up_form("ada@example.com"));
    gate.has_swallowed();
    service.signal("-TERM");
    assert!(service.ends_within(Duration::from_secs(20)));
}

/// Promise 55: whoever asks whether the service is ready gets an answer, though its own look hangs.
#[test]
fn a_look_that_hangs_is_an_answer_too() {
    let Some((gate, service, _folder)) = behind_a_gate(&[(STATEMENT_TIMEOUT, "600")]) else {
        return;
    };
    assert!(service.get("/health/ready").starts_with("HTTP/1.1 200"));
    gate.swallow("UPDATE vestibule_health");
    let begun_at = std::time::Instant::now();
    loop {
        let seen = service.get("/health/ready");
        if seen.starts_with("HTTP/1.1 503") {
            break;
        }
        assert!(seen.starts_with("HTTP/1.1 200"), "the last look counts for a second: {seen}");
        assert!(begun_at.elapsed() < Duration::from_secs(20), "it goes on saying so");
    }
}

/// Promise 55: one node that is gone in the middle of its look makes no other one look broken.
#[test]
fn a_look_waits_for_no_other_node() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    let _gone = app.hold("SELECT * FROM vestibule_health FOR UPDATE");
    app.visit("/health/ready").is(200);
}

/// Promise 53: a start that is gone in the middle of a change of the tables keeps nobody out for long.
#[test]
fn a_start_that_is_gone_lets_go_of_the_tables() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    app.sign_up("ada@example.com");
    // As if the last version had been one without an outbox, which refers to the users.
    app.sql("DELETE FROM vestibule_migrations WHERE version = 2");
    app.sql("DROP TABLE vestibule_outbox");
    let (gate, url) = app.gate();
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_DATABASE_URL", url.as_str()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    gate.swallow("COMMIT");
    let mut gone =
        command(folder.path(), &settings).stderr(std::process::Stdio::null()).spawn().unwrap();
    gate.has_swallowed();
    gone.kill().unwrap();
    gone.wait().unwrap();
    let begun_at = std::time::Instant::now();
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    while app.other_browser().post("/login", form).status != 303 {
        assert!(
            begun_at.elapsed() < Duration::from_secs(60),
            "everybody waits for a process that is gone"
        );
    }
}

/// Nobody is let in before there is somebody to answer; and a start that hears nothing says so and ends.
#[test]
fn a_start_that_hears_nothing_keeps_its_port_closed_and_ends() {
    let Some(database) = harness::new_postgres_database() else { return };
    let (gate, url) = harness::gate_before(&database);
    let folder = TempDir::new().unwrap();
    let port = proxies::free_port();
    let settings = [
        ("VESTIBULE_DATABASE_URL", url.as_str()),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("ROCKET_PORT", &port.to_string()),
    ];
    gate.swallow("vestibule_migrations");
    let child = command(folder.path(), &settings).spawn().unwrap();
    gate.has_swallowed();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && log.contains("no answer from the server"), "{log}");
}

/// While commits hang, a node takes no more connections than it is said to: others need some too.
#[test]
fn connections_that_hang_are_counted() {
    let settings =
        [("ROCKET_DATABASES__VESTIBULE__MAX_CONNECTIONS", "2"), (STATEMENT_TIMEOUT, "1")];
    let Some(database) = harness::new_postgres_database() else { return };
    let (gate, url) = harness::gate_before(&database);
    let folder = TempDir::new().unwrap();
    let settings =
        [&settings[..], &[("VESTIBULE_DATABASE_URL", &url), ("ROCKET_SECRET_KEY", SECRET_KEY)]];
    let service = Process::start(folder.path(), &settings.concat());
    gate.swallow("COMMIT");
    for n in 0..10 {
        let seen = service.sign_up(&format!("p{n}@example.com"));
        assert!(seen.starts_with("HTTP/1.1 503"), "{seen}");
        // Two of the pool, twice as many that were given up, and one that looks for the reason.
        let connections = harness::connections(&database, "TRUE");
        assert!(connections <= 7, "{connections}");
    }
}

/// Promise 53: the standby for which every commit waits is gone. Pages can still be read, PostgreSQL has connections
/// left for others, and what would wait for ever is ended.
#[test]
fn commits_that_wait_for_a_standby_that_is_gone_are_ended() {
    let app = TestApp::new();
    if app.is_sqlite() || !harness::has_a_standby_that_is_gone() {
        return;
    }
    app.sign_up("ada@example.com");
    let page = format!(
        "GET /profile HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={}\r\n\r\n",
        app.session_cookie().unwrap()
    );
    let url = app
        .database()
        .replace("application_name=", "application_name=waits_")
        .replace("&options=", "&options=-c%20synchronous_commit%3Don%20");
    let settings = [
        ("VESTIBULE_DATABASE_URL", url.as_str()),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("ROCKET_DATABASES__VESTIBULE__MAX_CONNECTIONS", "4"),
        (STATEMENT_TIMEOUT, "1"),
    ];
    let folder = TempDir::new().unwrap();
    // A change of the tables waits for nobody: it holds them until it is committed.
    let key = app.texts("SELECT encode(key_fingerprint, 'hex') FROM vestibule_health").remove(0);
    app.sql("DELETE FROM vestibule_migrations WHERE version = 5");
    app.sql("DROP TABLE vestibule_health");
    assert!(command(folder.path(), &settings).arg("migrate").status().unwrap().success());
    app.sql(&format!("UPDATE vestibule_health SET key_fingerprint = decode('{key}', 'hex')"));
    let service = Process::start(folder.path(), &settings);
    let (port, request) = (service.port, form_post("/login", &sign_up_form("ada@example.com")));
    std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| [(); 3].map(|()| ask(port, &request).unwrap())))
            .collect();
        while crowd.iter().any(|one| !one.is_finished()) {
            // Four of the pool, twice as many that were given up, and one that ends them.
            let connections = harness::connections(&url, "TRUE");
            assert!(connections <= 13, "{connections}");
            let seen = answer(service.send(&page));
            assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
            let seen = service.get("/health/ready");
            assert!(seen.starts_with("HTTP/1.1 503"), "{seen}");
        }
        for answer in crowd.into_iter().flat_map(|one| one.join().unwrap()) {
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        }
    });
    let begun_at = std::time::Instant::now();
    while harness::connections(&url, "wait_event = 'SyncRep'") > 0 {
        assert!(begun_at.elapsed() < Duration::from_secs(60), "they wait for ever");
    }
}

/// Promises 26 and 55: whoever has a queue of requests waiting at the database and asks for readiness as well is not
/// answered out of that queue: the answer is for the load balancer too.
#[test]
fn readiness_does_not_wait_with_whoever_asks_for_it() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    let url = app.database().replace("application_name=", "application_name=crowd_");
    let settings = [
        ("VESTIBULE_DATABASE_URL", url.as_str()),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("ROCKET_DATABASES__VESTIBULE__MAX_CONNECTIONS", "8"),
        (STATEMENT_TIMEOUT, "1"),
    ];
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &settings);
    // Each look at a link takes a second, eight at a time.
    let held = app.hold("LOCK TABLE vestibule_links");
    let link = "GET /password-reset/Ab_JqkhHwM_Us5_7leP7oP-oR4g-k4rXvukmiVbNs3Q HTTP/1.1\r\n\
                Host: localhost\r\nConnection: close\r\n\r\n";
    let crowd: Vec<_> = (0..64).map(|_| service.send(link)).collect();
    while harness::connections(&url, "wait_event_type = 'Lock'") < 8 {
        std::thread::yield_now();
    }
    let seen = service.get("/health/ready");
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    drop((crowd, held));
}

/// Promise 54: two nodes are restarted one after the other, again and again, while a crowd logs in. Nobody sees
/// anything of it.
fn rolls(drain: &str, start_proxy: impl FnOnce(&Path, [u16; 2], u16) -> Option<Proxy>) {
    let Some(url) = harness::new_postgres_database() else { return };
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
    let signed_up = ask(front, &form_post("/signup", &sign_up_form("ada@example.com")));
    assert!(signed_up.unwrap().starts_with("HTTP/1.1 303"));
    let is_over = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let request = form_post("/login", &sign_up_form("ada@example.com"));
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

/// In the proxy's own words, with these ports.
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

/// Promise 66: a node that is a year ahead would take everybody's sessions and the log of events with it.
#[test]
fn a_node_with_a_wrong_clock_does_not_start() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return; // It has no other clock.
    }
    let clock = Clock::default();
    assert!(app.can_start(clock.clone(), |figment| figment));
    clock.advance(Duration::from_secs(60));
    assert!(!app.can_start(clock, |figment| figment));
}

/// Promise 66: and one whose clock goes wrong later goes by the database's.
#[test]
fn all_nodes_go_by_the_clock_of_the_database() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    let app = app.restarted_at(Clock::default());
    app.sign_up("ada@example.com");
    app.letters();
    let before = app.dump();
    app.clock.advance(YEAR);
    app.run_jobs();
    assert!(app.is_signed_in());
    assert_eq!(app.dump(), before);
}

/// Promise 66: where there is no other clock, a wrong one does not take years of events at once.
#[test]
fn events_go_no_faster_than_they_age() {
    let app = TestApp::new();
    for day in 0..5 {
        app.log_in(&format!("p{day}@example.com"), "wrong");
        app.clock.advance(Duration::from_hours(24));
    }
    app.clock.advance(YEAR);
    for left in [4, 3] {
        app.run_jobs();
        assert_eq!(app.count("events"), left);
    }
}

/// A node with another key would know nobody's session, and count tries in buckets of its own.
#[test]
fn a_node_with_another_secret_key_does_not_start() {
    let app = TestApp::new();
    let other = "zIfyNRsQk1lcAfRMgLn0wS8yQyxuPlJbSNxTpgPVzcE=";
    let change = |figment: figment::Figment| figment.merge(("secret_key", other));
    // SQLite has one node: to change its key is to sign everybody out.
    assert_eq!(app.can_start(Clock::stopped(), change), app.is_sqlite());
    assert!(app.can_start(Clock::stopped(), |figment| figment) || app.is_sqlite());
}

/// Two nodes that sweep and deliver at once are in nobody's way, and not in each other's.
#[test]
fn two_nodes_sweep_and_deliver_side_by_side() {
    let app =
        TestApp::with(|figment| figment.merge(("vestibule.throttle.attempts_by_ip", 100_000)));
    if app.is_sqlite() {
        return;
    }
    let twin = app.twin();
    for round in 0..6 {
        for n in 0..40 {
            app.log_in(&format!("p{round}-{n}@example.com"), "wrong");
        }
        // Fewer than what leaves at once: the clocks of two nodes are never quite the same.
        for n in 0..15 {
            app.post("/password-reset", [("email", &*format!("p{round}-{n}@example.com"))]);
        }
        assert!(app.count("outbox") > 0 && app.count("throttle") > 40);
        app.clock.advance(Duration::from_hours(48));
        twin.clock.advance(Duration::from_hours(48));
        app.run_jobs_with(&twin);
        assert_eq!(app.count("outbox"), 0);
        assert!(app.count("throttle") <= 2, "but for what has just been counted");
    }
}

/// Rolling upgrade: a node of this version starts beside tables of a later one.
#[test]
fn tables_of_a_later_version_stop_no_node() {
    let app = TestApp::new();
    app.sql(
        "INSERT INTO vestibule_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'later', true, '', 0)",
    );
    app.restarted().sign_up("ada@example.com").redirects_to("/profile");
}

/// Rolling upgrade: a start that has to change a table which somebody reads waits for it, and lets the others who
/// want it pass meanwhile.
#[test]
fn a_start_that_waits_for_a_table_says_so_and_holds_nobody_up() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    app.sign_up("ada@example.com");
    // As if the last version had been one without an outbox, which refers to the users.
    app.sql("DELETE FROM vestibule_migrations WHERE version = 2");
    app.sql("DROP TABLE vestibule_outbox");
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_DATABASE_URL", app.database()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    let refusal = command(folder.path(), &settings)
        .env("ROCKET_DATABASES__VESTIBULE__MIGRATE", "false")
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&refusal.stderr).into_owned();
    assert!(!refusal.status.success() && log.contains("run `vestibule migrate`"), "{log}");
    for held in
        ["LOCK TABLE vestibule_users IN ROW EXCLUSIVE MODE", "LOCK TABLE vestibule_migrations"]
    {
        let holder = app.hold(held);
        let mut child = command(folder.path(), &settings).arg("migrate").spawn().unwrap();
        let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("another process holds them: waiting for it (process ") {
            line.clear();
            assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0, "it waits");
        }
        assert!(line.contains("idle in transaction"), "{line}");
        app.other_browser().log_in("ada@example.com", PASSWORD).redirects_to("/profile");
        drop(holder);
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(app.count("migrations WHERE version = 2"), 1);
    assert!(app.can_start(Clock::stopped(), |figment| {
        figment.merge(("databases.vestibule.migrate", false))
    }));
}

/// A pooler mixes up what connections have agreed on: the start says so, in either way that it may be set up.
#[test]
fn a_pooler_in_between_is_refused_in_words() {
    let Some(url) = harness::new_postgres_database() else { return };
    let folder = TempDir::new().unwrap();
    let server: url::Url = url.parse().unwrap();
    let (host, port) = (server.host_str().unwrap(), server.port().unwrap_or(5432));
    for (ignored, words) in [
        ("extra_float_digits", "is a pooler"),
        ("extra_float_digits,options", "drops the options of a connection"),
    ] {
        let front = proxies::free_port();
        let text = format!(
            "[databases]\n* = host={host} port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {front}\nauth_type = any\nunix_socket_dir =\npool_mode = transaction\n\
             ignore_startup_parameters = {ignored}\n"
        );
        let config = folder.path().join("pgbouncer.ini");
        std::fs::write(&config, text.replace("* = host", "postgres = user=vestibule host"))
            .unwrap();
        // It refuses to run as root.
        let is_root = std::os::unix::fs::MetadataExt::uid(&folder.path().metadata().unwrap()) == 0;
        let user = if is_root { &["-u", "nobody"][..] } else { &[] };
        let all = [user, &[config.to_str().unwrap()]].concat();
        let Some(_pooler) = Proxy::start("pgbouncer", folder.path(), &all, front) else { return };
        let mut through = server.clone();
        through.set_port(Some(front)).unwrap();
        let settings =
            [("VESTIBULE_DATABASE_URL", through.as_str()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
        let output = command(folder.path(), &settings).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && log.contains(words), "{log}");
    }
}

/// What the start says of a server that it cannot use.
#[test]
fn a_server_that_cannot_be_used_is_named_with_the_cause() {
    let Some(url) = harness::new_postgres_database() else { return };
    let folder = TempDir::new().unwrap();
    let start = |url: &str| {
        let settings = [("VESTIBULE_DATABASE_URL", url), ("ROCKET_SECRET_KEY", SECRET_KEY)];
        let output = command(folder.path(), &settings).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let port = proxies::free_port();
    let log = start(&format!("postgres://vestibule@127.0.0.1:{port}/postgres"));
    assert!(log.contains(&format!("127.0.0.1:{port}")) && log.contains("refused"), "{log}");
    let name = format!("latin{port}");
    harness::run_on_server(&format!(
        "CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    ));
    let mut latin: url::Url = url.parse().unwrap();
    latin.set_path(&name);
    latin.set_query(None);
    let log = start(latin.as_str());
    assert!(log.contains("ENCODING 'UTF8'"), "{log}");
    harness::run_on_server(&format!("DROP DATABASE {name}"));
}

/// What is to be seen of the jobs without a log.
#[test]
fn readiness_tells_what_waits() {
    let folder = new_folder();
    let service = Process::start(folder.path(), &[]);
    service.sign_up("ada@example.com");
    let begun_at = std::time::Instant::now();
    loop {
        let seen = service.get("/health/ready");
        let (_, body) = seen.split_once("\r\n\r\n").unwrap();
        let json: Value = rocket::serde::json::from_str(body).unwrap();
        assert_eq!(json["status"], "ok");
        if json["messages_waiting"] == 0
            && json["last_sweep_seconds"].is_u64()
            && json["delivery_moved_seconds"].is_u64()
        {
            break;
        }
        assert!(begun_at.elapsed() < Duration::from_secs(20), "{json}");
    }
    // Not to strangers: they would see whether there was an account to send a link to.
    for (host, header) in [
        ("localhost", "X-Forwarded-For: 203.0.113.7\r\n"),
        ("localhost", "Via: 1.1 proxy\r\n"),
        ("Accounts.example.com.", ""),
    ] {
        let by_proxy = answer(service.send(&format!(
            "GET /health/ready HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n"
        )));
        assert!(by_proxy.contains("{\"status\":\"ok\"}"), "{by_proxy}");
    }
}

/// Least privilege: once the tables are right, a role starts that may read and write them and no more.
#[test]
fn a_role_that_may_change_no_table_is_enough() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    let schema = app.texts("SELECT current_schema()").remove(0);
    let role = format!("role_{schema}");
    app.sql(&format!("CREATE ROLE {role} LOGIN"));
    app.sql(&format!("GRANT USAGE ON SCHEMA {schema} TO {role}"));
    let mut url: url::Url = app.database().parse().unwrap();
    url.set_username(&role).unwrap();
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_DATABASE_URL", url.as_str()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    let refusal = command(folder.path(), &settings).output().unwrap();
    let log = String::from_utf8_lossy(&refusal.stderr).into_owned();
    assert!(!refusal.status.success() && log.contains("GRANT SELECT"), "{log}");
    app.sql(&format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
    ));
    let app =
        app.restarted_with(|figment| figment.merge(("databases.vestibule.url", url.as_str())));
    app.sign_up("ada@example.com").redirects_to("/profile");
    app.submit("/password-change", [("password", PASSWORD), ("new_password", NEW_PASSWORD)])
        .redirects_to("/profile");
    app.letters();
}
