//! Measures the service from outside, mostly as ratios: `cargo bench`. Starts the release binary on loopback, sends
//! requests from this process, and ends after some minutes. Measure on a quiet machine. `cargo bench -- pages old
//! large logins starts` selects parts; `cargo bench -- table` measures everything three times and writes the table of
//! `docs/performance.md`.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod load;

use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use eksblowfish::Batch;
use load::{Request, Server, at_rate, closed_loop, form, median, percentile};
use rocket::http::CookieJar;
use tempfile::TempDir;

const PASSWORD: &str = "seven+purple+lanterns";
const USERS: usize = 1_000;
const STORM: usize = 32;

fn main() {
    if std::env::var_os("BENCH_HELLO").is_some() {
        return hello();
    }
    // `cargo test --benches` and clippy only check that it builds.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let parts: Vec<String> = std::env::args().skip(1).filter(|w| !w.starts_with("--")).collect();
    let for_table = parts.iter().any(|part| part == "table");
    let is_wanted =
        |part: &str| for_table || parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let machine = format!("{} cores, {}", cores(), cpu());
    println!("\n{machine}\n\n| What | Reached |\n|---|---|");
    for _ in 0..if for_table { 3 } else { 1 } {
        if is_wanted("pages") {
            pages();
        }
        if is_wanted("old") {
            old_sessions();
        }
        if is_wanted("large") {
            large_account();
        }
        if is_wanted("logins") {
            logins();
        }
        if is_wanted("starts") {
            starts();
        }
    }
    if for_table {
        write_table(&machine);
    }
}

/// The results so far, in order: each row with the result of each run.
static ROWS: Mutex<Vec<(String, Vec<String>)>> = Mutex::new(Vec::new());

fn row(what: &str, reached: &str) {
    println!("| {what} | {reached} |");
    let mut rows = ROWS.lock().unwrap();
    if let Some((_, runs)) = rows.iter_mut().find(|(known, _)| known == what) {
        runs.push(reached.to_owned());
    } else {
        rows.push((what.to_owned(), vec![reached.to_owned()]));
    }
}

/// Writes the figures between the marks in `docs/performance.md`.
fn write_table(machine: &str) {
    let command = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output().unwrap().stdout;
        String::from_utf8(output).unwrap().trim().to_owned()
    };
    let commit = command("git", &["describe", "--always", "--dirty"]);
    let date = command("date", &["-u", "+%-d %B %Y"]);
    let rows: Vec<String> = ROWS
        .lock()
        .unwrap()
        .iter()
        .map(|(what, runs)| format!("| {what} | {} |", runs.join(" · ")))
        .collect();
    let table = format!(
        "{FROM}\nCommit {commit}, {date}, {machine}; what each of three runs reached:\n\n\
         | What | Reached |\n|---|---|\n{}\n{TO}",
        rows.join("\n")
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once(FROM).unwrap();
    let (_, after) = rest.split_once(TO).unwrap();
    std::fs::write(path, format!("{before}{table}{after}")).unwrap();
}

const FROM: &str = "<!-- written by `cargo bench -- table` -->";
const TO: &str = "<!-- until here -->";

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The key that seals the cookies of both servers.
const SECRET_KEY: &str = "2RwDo2B1e5D5zXWyfM3sBQSZgZzmvVZ9dfzlMGlAbH4=";

/// A bare Rocket for comparison. It seals cookies too.
fn hello() {
    #[rocket::get("/")]
    fn hello() -> &'static str {
        "hello"
    }
    #[rocket::get("/seal/<token>")]
    fn seal(token: String, jar: &CookieJar<'_>) {
        jar.add_private(("session_id", token));
    }
    /// A host's page for who is signed in.
    #[rocket::get("/guarded")]
    fn guarded(user: vestibule::User) -> &'static str {
        let _ = user;
        "hello"
    }
    let mut rocket =
        rocket::custom(vestibule::service_figment()).mount("/", rocket::routes![hello, seal]);
    if std::env::var_os("BENCH_HOST").is_some() {
        rocket = rocket.attach(vestibule::stage()).mount("/", rocket::routes![guarded]);
    }
    let _ = rocket::execute(rocket.launch());
}

fn hello_server() -> Server {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("BENCH_HELLO", "1").env("ROCKET_SECRET_KEY", SECRET_KEY);
    Server::start(command)
}

/// The service, without its limits by address.
fn service(folder: &TempDir, settings: &[(&str, &str)]) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command
        .current_dir(folder.path())
        .env("ROCKET_SECRET_KEY", SECRET_KEY)
        .env("VESTIBULE_THROTTLE__ATTEMPTS_BY_IP", "1000000000")
        .env("VESTIBULE_THROTTLE__SIGNUPS_BY_IP", "1000000000")
        .env("VESTIBULE_THROTTLE__EMAILS_BY_IP", "1000000000")
        .env("VESTIBULE_SESSION__MAX_PER_ACCOUNT", "1000000000");
    command.envs(settings.iter().copied());
    Server::start(command)
}

const LOW_COST: [(&str, &str); 1] = [("VESTIBULE_PASSWORD__COST", "4")];

fn sign_up(n: usize) -> Request {
    form("/signup", &format!("email=p{n}@example.com&password={PASSWORD}"))
}

fn log_in(n: usize) -> Request {
    form("/login", &format!("email=p{n}@example.com&password={PASSWORD}"))
}

/// Reading pages with a session, compared with a Rocket that says hello; and signing up.
fn pages() {
    let hello = hello_server();
    for (name, database) in databases() {
        let folder = TempDir::new().unwrap();
        let mut settings = LOW_COST.to_vec();
        settings.extend(database.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let service = service(&folder, &settings);
        let run = uuid::Uuid::now_v7().simple().to_string();
        let requests: Vec<Request> = (0..USERS + 2_000)
            .map(|n| form("/signup", &format!("email={run}{n}@example.com&password={PASSWORD}")))
            .collect();
        let start = Instant::now();
        let done = load::each_once(service.port, 64, requests);
        let rate = done.len() as f64 / start.elapsed().as_secs_f64();
        let errors = done.iter().filter(|answer| answer.status != 303).count();
        row(
            &format!("sign-ups/s with their emails, bcrypt cost 4, 64 clients, {name}"),
            &format!("{rate:.0}, {errors} errors"),
        );
        let cookies: Vec<String> = done.into_iter().take(USERS).filter_map(|a| a.cookie).collect();
        assert_eq!(cookies.len(), USERS);
        let get = |path: &str| -> Vec<Request> {
            cookies.iter().map(|cookie| Request::get(path, Some(cookie))).collect()
        };
        for (path, accept) in [("/api/v1/session", "*/*"), ("/profile", "text/html")] {
            let with: Vec<Request> = get(path).into_iter().map(|r| r.accept(accept)).collect();
            let bare = vec![Request::get("/", None)];
            let mut ratios = Vec::new();
            let mut rates = Vec::new();
            for _ in 0..5 {
                let ours = closed_loop(service.port, 16, &with, Duration::from_secs(2));
                let theirs = closed_loop(hello.port, 16, &bare, Duration::from_secs(2));
                assert_eq!(ours.errors, 0);
                ratios.push(ours.rate / theirs.rate);
                rates.push(ours.rate);
            }
            row(
                &format!("`GET {path}`, {USERS} sessions in the cache, ÷ bare Rocket, {name}"),
                &format!("{:.2} ({:.0}/s)", median(&mut ratios), median(&mut rates)),
            );
        }
    }
}

/// SQLite, and PostgreSQL if `TEST_POSTGRES_URL` names a server.
fn databases() -> Vec<(&'static str, Vec<(String, String)>)> {
    let mut all = vec![("SQLite", Vec::new())];
    if let Ok(url) = std::env::var("TEST_POSTGRES_URL") {
        let databases = format!("{{vestibule={{url=\"{url}\"}}}}");
        all.push(("PostgreSQL", vec![("ROCKET_DATABASES".into(), databases)]));
    }
    all
}

/// Session checks without the cache, at random among a million sessions.
fn old_sessions() {
    const USED: usize = 20_000;
    let hello = hello_server();
    let mut servers = Vec::new();
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let settings = [LOW_COST[0], ("VESTIBULE_SESSION__CACHE_FOR", "0s")];
    for (folder, unused) in folders.iter().zip([0, 980_000]) {
        let first = service(folder, &settings);
        load::each_once(first.port, 1, vec![sign_up(0)]);
        drop(first);
        let tokens: Vec<[u8; 32]> = std::iter::repeat_with(|| {
            let mut token = [0; 32];
            getrandom::fill(&mut token).unwrap();
            token
        })
        .take(USED)
        .collect();
        load::add_sessions(&folder.path().join("data/vestibule.sqlite3"), &tokens, unused);
        let seal = |token: &[u8; 32]| {
            Request::get(&format!("/seal/{}", URL_SAFE_NO_PAD.encode(token)), None)
        };
        let sealed = load::each_once(hello.port, 16, tokens.iter().map(seal).collect());
        let requests: Vec<Request> = sealed
            .into_iter()
            .filter_map(|answer| answer.cookie)
            .map(|cookie| Request::get("/api/v1/session", Some(&cookie)))
            .collect();
        assert_eq!(requests.len(), USED);
        servers.push((service(folder, &settings), requests));
    }
    let mut ratios = Vec::new();
    for _ in 0..7 {
        let [few, many] = [0, 1].map(|n| {
            let (server, requests) = &servers[n];
            let reached = closed_loop(server.port, 16, requests, Duration::from_secs(2));
            assert_eq!(reached.errors, 0);
            reached.rate
        });
        ratios.push(many / few);
    }
    row(
        "session check without the cache, of 20,000 among 1,000,000 ÷ of 20,000 alone",
        &format!("{:.2}", median(&mut ratios)),
    );
}

/// The pages of an account with 1,000 sessions and 100,000 events, among a million users.
fn large_account() {
    let folder = TempDir::new().unwrap();
    let settings = [LOW_COST[0], ("VESTIBULE_SESSION__MAX_PER_ACCOUNT", "1000")];
    let server = service(&folder, &settings);
    let signed_up = load::each_once(server.port, 1, vec![sign_up(0)]);
    let cookie = signed_up[0].cookie.clone().unwrap();
    let database = folder.path().join("data/vestibule.sqlite3");
    load::add_sessions(&database, &[], 999);
    let numbers = |most: u32| {
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {most})")
    };
    load::run_sql(
        &database,
        &format!(
            "{} INSERT INTO vestibule_events (id, at, kind, user_id, ip, user_agent) \
             SELECT unhex(printf('%012X', u.created_at - i) || hex(randomblob(10))), u.created_at - i, 'signed-in', u.id, '203.0.113.7', 'Mozilla/5.0 (X11; Linux x86_64; \
             rv:140.0) Gecko/20100101 Firefox/140.0' FROM n, vestibule_users u LIMIT 100000",
            numbers(100_000)
        ),
    );
    load::run_sql(
        &database,
        &format!(
            "{} INSERT INTO vestibule_users (id, email, email_key, created_at) \
             SELECT randomblob(16), i || '@example.com', i || '@example.com', i FROM n",
            numbers(1_000_000)
        ),
    );
    let p99 = |path: &str, per_second: u32| {
        let page = [Request::get(path, Some(&cookie)).accept("text/html")];
        let mut latencies = at_rate(server.port, per_second, &page, Duration::from_secs(5));
        percentile(&mut latencies, 0.99) * 1e3
    };
    row(
        "p99 of `GET /sessions`, `/activity` and `/export` for 1,000 sessions and 100,000 events among 1,000,000 users",
        &format!(
            "{:.1}, {:.1}, {:.0} ms",
            p99("/sessions", 20),
            p99("/activity", 50),
            p99("/export", 1)
        ),
    );
}

/// Signing in, compared with the `bcrypt` crate in a tight loop.
fn logins() {
    let cores = cores();
    let folder = TempDir::new().unwrap();
    let settings =
        [("VESTIBULE_HASHING__MAX_WAIT", "60s"), ("VESTIBULE_THROTTLE__FREE_ATTEMPTS", "1000000")];
    let server = service(&folder, &settings);
    let idle = server.resident_mib();
    let done = load::each_once(server.port, STORM, (0..STORM).map(sign_up).collect());
    let cookies: Vec<String> = done.into_iter().filter_map(|answer| answer.cookie).collect();

    // Alternate single sign-ins and single hashes by the crate.
    let (mut lone, mut crate_alone, mut of_four) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..15 {
        crate_alone.push(crate_hash().as_secs_f64());
        let start = Instant::now();
        load::each_once(server.port, 1, vec![log_in(n % STORM)]);
        lone.push(start.elapsed().as_secs_f64());
        let four = (0..4).map(|k| log_in((n + k) % STORM)).collect();
        let start = Instant::now();
        load::each_once(server.port, 4, four);
        of_four.push(start.elapsed().as_secs_f64());
    }
    let (lone, alone, of_four) =
        (median(&mut lone), median(&mut crate_alone), median(&mut of_four));
    row(
        "a lone login, from post to redirect, ÷ one hash by the crate",
        &format!("{:.2} ({:.0} ms)", lone / alone, lone * 1e3),
    );
    row("the slowest of four logins at once ÷ a lone one", &format!("{:.2}", of_four / lone));

    time_classes(&server, &folder);

    // Alternate bursts of sign-ins and the crate on all cores.
    let all: Vec<Request> =
        (0..STORM).map(|n| if n == 1 { log_in(0) } else { log_in(n) }).collect();
    let profile: Vec<Request> = cookies
        .iter()
        .map(|cookie| Request::get("/profile", Some(cookie)).accept("text/html"))
        .collect();
    let (mut ratios, mut of_own, mut rates, mut memory) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..10 {
        let yardstick = on_all_cores(cores, Duration::from_secs(3), crate_hashes);
        let own = on_all_cores(cores, Duration::from_secs(3), own_hashes);
        let storm = closed_loop(server.port, STORM, &all, Duration::from_secs(6));
        assert_eq!(storm.errors, 0);
        ratios.push(storm.rate / yardstick);
        of_own.push(storm.rate / own);
        rates.push(storm.rate);
        memory.push(server.resident_mib());
    }
    let (mut at_rest, mut in_storm) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        at_rest.extend(at_rate(server.port, 200, &profile, Duration::from_secs(6)));
        in_storm.extend(std::thread::scope(|scope| {
            let beside =
                scope.spawn(|| at_rate(server.port, 200, &profile, Duration::from_secs(6)));
            let storm = closed_loop(server.port, STORM, &all, Duration::from_secs(6));
            assert_eq!(storm.errors, 0);
            beside.join().unwrap()
        }));
    }
    row(
        &format!(
            "logins/s, {STORM} clients, `hashing.max_wait` 60 s, ÷ the crate in a tight loop on all cores"
        ),
        &format!("{:.2} ({:.1}/s)", median(&mut ratios), median(&mut rates)),
    );
    row(
        "the same ÷ four hashes at once by `eksblowfish` in a tight loop on all cores",
        &format!("{:.2}", median(&mut of_own)),
    );
    let (rest, storm) = (percentile(&mut at_rest, 0.99), percentile(&mut in_storm, 0.99));
    row(
        "p99 of `GET /profile` at 200/s during that, in the same seconds at rest",
        &format!("{:.1}, {:.1} ms", storm * 1e3, rest * 1e3),
    );
    row(
        "resident memory: idle, after the second such storm, after the tenth",
        &format!("{idle:.1}, {:.1}, {:.1} MiB", memory[1], memory[9]),
    );
}

/// What an attacker could learn from timing: alternating medians of 30, each ÷ a wrong password for an account.
fn time_classes(server: &Server, folder: &TempDir) {
    let database = folder.path().join("data/vestibule.sqlite3");
    load::run_sql(
        &database,
        "UPDATE vestibule_passwords SET hash = '$2b$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe' \
 WHERE user_id IN (SELECT id FROM vestibule_users WHERE email_key = 'p1@example.com')",
    );
    load::run_sql(
        &database,
        "UPDATE vestibule_users SET disabled_at = 1 WHERE email_key = 'p2@example.com'",
    );
    let post = |path: &str, name: &str| {
        form(path, &format!("email={name}@example.com&password=wrong+as+it+is"))
    };
    let medians = |times_each: usize, all: &[(&str, &str)]| -> Vec<f64> {
        let mut times = vec![Vec::new(); all.len()];
        for _ in 0..times_each {
            for ((path, name), times) in all.iter().zip(&mut times) {
                let start = Instant::now();
                load::each_once(server.port, 1, vec![post(path, name)]);
                times.push(start.elapsed().as_secs_f64());
            }
        }
        times.iter_mut().map(|times| median(times)).collect()
    };
    let json = "/api/v1/session";
    let tried = medians(
        30,
        &[
            ("/login", "p0"),
            ("/login", "nobody"),
            ("/login", "p1"),
            ("/login", "p2"),
            (json, "p0"),
            (json, "nobody"),
        ],
    );
    row(
        "a wrong password for no account, an imported hash of cost 6, a disabled account, and in JSON for one and \
         for none, ÷ for any account, medians of 30",
        &tried[1..]
            .iter()
            .map(|time| format!("{:.2}", time / tried[0]))
            .collect::<Vec<_>>()
            .join(", "),
    );
    let asked = medians(300, &[("/password-reset", "p0"), ("/password-reset", "nobody")]);
    row(
        "the answer to a request for a reset, for no account ÷ for one, medians of 300",
        &format!("{:.2}", asked[1] / asked[0]),
    );
    load::run_sql(&database, "UPDATE vestibule_users SET disabled_at = NULL");
}

/// From the start of the process to the first response, with an existing database.
fn starts() {
    let folder = TempDir::new().unwrap();
    drop(service(&folder, &LOW_COST));
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let server = service(&folder, &LOW_COST);
            server.first_answer.as_secs_f64()
        })
        .collect();
    row("start to first answer, database present", &format!("{:.0} ms", median(&mut times) * 1e3));
}

fn crate_hash() -> Duration {
    let start = Instant::now();
    std::hint::black_box(bcrypt::bcrypt(
        12,
        std::hint::black_box([7; 16]),
        b"seven purple lanterns\0",
    ));
    start.elapsed()
}

/// Hashes by the crate, one after the other, for so long; how many.
fn crate_hashes(begun: Instant, time: Duration) -> u32 {
    let mut hashes = 0;
    while begun.elapsed() < time {
        crate_hash();
        hashes += 1;
    }
    hashes
}

/// Hashes by `eksblowfish`, as many at once as `hashing.batch` has by default.
fn own_hashes(begun: Instant, time: Duration) -> u32 {
    let (mut batch, mut hashes) = (Batch::default(), 0);
    while begun.elapsed() < time {
        for _ in 0..4 {
            batch.push(12, std::hint::black_box([7; 16]), b"seven purple lanterns\0");
        }
        while !batch.is_empty() {
            batch.advance(32);
            while let Some((_, hash)) = batch.pop_done() {
                std::hint::black_box(hash);
                hashes += 1;
            }
        }
    }
    hashes
}

/// Hashes per second in a tight loop on all cores.
fn on_all_cores(cores: usize, time: Duration, hash: fn(Instant, Duration) -> u32) -> f64 {
    std::thread::scope(|scope| {
        let count = || {
            let begun = Instant::now();
            let hashes = hash(begun, time);
            // The last hash ran past the end, so each thread has its own rate.
            f64::from(hashes) / begun.elapsed().as_secs_f64()
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    model
        .map_or("an unknown processor", |name| name.trim_start_matches(['\t', ' ', ':']))
        .to_owned()
}
