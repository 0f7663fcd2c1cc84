//! What the service does, measured from outside and told in ratios: `cargo bench`. It starts the
//! release binary on loopback, drives it from this process, and ends by itself after some minutes.
//! Measure on a quiet machine. `cargo bench -- pages old logins starts native` chooses parts of it.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod load;

use std::process::Command;
use std::time::{Duration, Instant};

use load::{Request, Server, at_rate, closed_loop, form, median, percentile};
use tempfile::TempDir;

const PASSWORD: &str = "seven+purple+lanterns";
const USERS: usize = 1_000;
const STORM: usize = 32;

fn main() {
    if std::env::var_os("BENCH_HELLO").is_some() {
        return hello();
    }
    // `cargo test --benches` and clippy only want to know that it builds.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("\n{} cores, {}\n", cores, cpu());
    println!("| What | Reached |\n|---|---|");
    let parts: Vec<String> = std::env::args().skip(1).filter(|w| !w.starts_with("--")).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    if is_wanted("pages") {
        pages();
    }
    if is_wanted("old") {
        old_sessions();
    }
    if is_wanted("logins") {
        logins("", env!("CARGO_BIN_EXE_vestibule"), cores);
    }
    if is_wanted("starts") {
        starts();
    }
    if is_wanted("native")
        && let Some(native) = native_build()
    {
        logins(", built with `target-cpu=native`", &native, cores);
    }
}

fn row(what: &str, reached: &str) {
    println!("| {what} | {reached} |");
}

/// A bare Rocket, as a yardstick.
fn hello() {
    #[rocket::get("/")]
    fn hello() -> &'static str {
        "hello"
    }
    let rocket = rocket::custom(vestibule::figment()).mount("/", rocket::routes![hello]);
    let _ = rocket::execute(rocket.launch());
}

fn hello_server() -> Server {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env("BENCH_HELLO", "1")
        .env("ROCKET_SECRET_KEY", "2RwDo2B1e5D5zXWyfM3sBQSZgZzmvVZ9dfzlMGlAbH4=");
    Server::start(command)
}

fn service(binary: &str, folder: &TempDir, settings: &[(&str, &str)]) -> Server {
    let mut command = Command::new(binary);
    command
        .current_dir(folder.path())
        .env("VESTIBULE_THROTTLE__TRIES_BY_CLIENT", "1000000000")
        .env("VESTIBULE_THROTTLE__SIGNUPS_BY_CLIENT", "1000000000")
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

/// Reading pages with a session, beside a Rocket that says hello; and signing up.
fn pages() {
    let hello = hello_server();
    for (name, database) in databases() {
        let folder = TempDir::new().unwrap();
        let mut settings = LOW_COST.to_vec();
        settings.extend(database.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let service = service(env!("CARGO_BIN_EXE_vestibule"), &folder, &settings);
        let run = uuid::Uuid::now_v7().simple().to_string();
        let requests: Vec<Request> = (0..USERS + 2_000)
            .map(|n| form("/signup", &format!("email={run}{n}@example.com&password={PASSWORD}")))
            .collect();
        let start = Instant::now();
        let done = load::each_once(service.port, 64, requests);
        let rate = done.len() as f64 / start.elapsed().as_secs_f64();
        let errors = done.iter().filter(|answer| answer.status != 303).count();
        row(
            &format!("sign-ups/s, cost 4, 64 clients, {name}"),
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
                &format!("`GET {path}`, {USERS} sessions, ÷ bare Rocket, {name}"),
                &format!("{:.2} ({:.0}/s)", median(&mut ratios), median(&mut rates)),
            );
        }
    }
}

/// SQLite, and PostgreSQL where `TEST_POSTGRES_URL` names a server.
fn databases() -> Vec<(&'static str, Vec<(String, String)>)> {
    let mut all = vec![("SQLite", Vec::new())];
    if let Ok(url) = std::env::var("TEST_POSTGRES_URL") {
        let databases = format!("{{vestibule={{url=\"{url}\"}}}}");
        let key = "2RwDo2B1e5D5zXWyfM3sBQSZgZzmvVZ9dfzlMGlAbH4=".to_owned();
        let settings =
            vec![("ROCKET_DATABASES".into(), databases), ("ROCKET_SECRET_KEY".into(), key)];
        all.push(("PostgreSQL", settings));
    }
    all
}

/// The session check among a million old rows, without the cache.
fn old_sessions() {
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let settings = [LOW_COST[0], ("VESTIBULE_SESSION__CACHE_FOR", "0s")];
    let mut servers = Vec::new();
    for (folder, rows) in folders.iter().zip([0, 999_000]) {
        let first = service(env!("CARGO_BIN_EXE_vestibule"), folder, &settings);
        let done = load::each_once(first.port, 64, (0..USERS).map(sign_up).collect());
        drop(first);
        load::add_sessions(&folder.path().join("data/vestibule.sqlite3"), rows);
        let again = service(env!("CARGO_BIN_EXE_vestibule"), folder, &settings);
        let requests: Vec<Request> = done
            .into_iter()
            .filter_map(|answer| answer.cookie)
            .map(|cookie| Request::get("/api/v1/session", Some(&cookie)))
            .collect();
        servers.push((again, requests));
    }
    let mut ratios = Vec::new();
    for _ in 0..7 {
        let [few, many] = [0, 1].map(|n| {
            let (server, requests) = &servers[n];
            closed_loop(server.port, 16, requests, Duration::from_secs(2)).rate
        });
        ratios.push(many / few);
    }
    row(
        "session check, cache off, among 1,000,000 rows ÷ among 1,000",
        &format!("{:.2}", median(&mut ratios)),
    );
}

/// Logging in, beside the `bcrypt` crate in a tight loop.
fn logins(build: &str, binary: &str, cores: usize) {
    let folder = TempDir::new().unwrap();
    let settings =
        [("VESTIBULE_HASHING__MAX_WAIT", "60s"), ("VESTIBULE_THROTTLE__FREE_TRIES", "1000000")];
    let server = service(binary, &folder, &settings);
    let idle = server.resident_mib();
    let done = load::each_once(server.port, STORM, (0..STORM).map(sign_up).collect());
    let cookies: Vec<String> = done.into_iter().filter_map(|answer| answer.cookie).collect();

    // A lone login, and one hash by the crate, in turns.
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
        &format!("a lone login ÷ one hash by the crate{build}"),
        &format!("{:.2} ({:.0} ms)", lone / alone, lone * 1e3),
    );
    row(
        &format!("the slowest of four logins at once ÷ a lone one{build}"),
        &format!("{:.2}", of_four / lone),
    );

    // A wrong password for an account, for none, and for one whose hash of low cost was imported, in
    // turns.
    let imported = "UPDATE users SET password_hash = \
                    '$2b$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe' \
                    WHERE email_key = 'p1@example.com'";
    load::run_sql(&folder.path().join("data/vestibule.sqlite3"), imported);
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..30 {
        for (name, times) in ["p0", "nobody", "p1"].into_iter().zip(&mut times) {
            let start = Instant::now();
            let wrong = form("/login", &format!("email={name}@example.com&password=wrong"));
            load::each_once(server.port, 1, vec![wrong]);
            times.push(start.elapsed().as_secs_f64());
        }
    }
    let [known, unknown, imported] = times.map(|mut times| median(&mut times));
    row(
        &format!(
            "a wrong password for no account, and for an imported hash of cost 6, ÷ for any other, medians of 30{build}"
        ),
        &format!("{:.2}, {:.2}", unknown / known, imported / known),
    );

    // Storms, and the crate on all cores, in turns.
    let all: Vec<Request> =
        (0..STORM).map(|n| if n == 1 { log_in(0) } else { log_in(n) }).collect();
    let profile: Vec<Request> = cookies
        .iter()
        .map(|cookie| Request::get("/profile", Some(cookie)).accept("text/html"))
        .collect();
    let mut at_rest = at_rate(server.port, 200, &profile, Duration::from_secs(10));
    let (mut ratios, mut rates, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..10 {
        let yardstick = crate_on_all_cores(cores, Duration::from_secs(3));
        let storm = closed_loop(server.port, STORM, &all, Duration::from_secs(6));
        assert_eq!(storm.errors, 0);
        ratios.push(storm.rate / yardstick);
        rates.push(storm.rate);
        memory.push(server.resident_mib());
    }
    let mut in_storm = Vec::new();
    for _ in 0..5 {
        in_storm.extend(std::thread::scope(|scope| {
            let beside =
                scope.spawn(|| at_rate(server.port, 200, &profile, Duration::from_secs(6)));
            let storm = closed_loop(server.port, STORM, &all, Duration::from_secs(6));
            assert_eq!(storm.errors, 0);
            beside.join().unwrap()
        }));
    }
    row(
        &format!("logins/s, {STORM} clients, ÷ the crate on all cores{build}"),
        &format!("{:.2} ({:.1}/s)", median(&mut ratios), median(&mut rates)),
    );
    let (rest, storm) = (percentile(&mut at_rest, 0.99), percentile(&mut in_storm, 0.99));
    row(
        &format!("p99 of `GET /profile` at 200/s during the storm{build}"),
        &format!("{:.1} ms, {:.1} × at rest", storm * 1e3, storm / rest),
    );
    row(
        &format!("resident memory: idle, after the second storm, after the tenth{build}"),
        &format!("{idle:.1}, {:.1}, {:.1} MiB", memory[1], memory[9]),
    );
}

/// From the start of the process to the first answer, the database being there.
fn starts() {
    let folder = TempDir::new().unwrap();
    drop(service(env!("CARGO_BIN_EXE_vestibule"), &folder, &LOW_COST));
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let server = service(env!("CARGO_BIN_EXE_vestibule"), &folder, &LOW_COST);
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

/// Hashes a second by the crate in a tight loop on all cores.
fn crate_on_all_cores(cores: usize, time: Duration) -> f64 {
    let start = Instant::now();
    let hashes: f64 = std::thread::scope(|scope| {
        let count = || {
            let (mut hashes, begun) = (0, Instant::now());
            while begun.elapsed() < time {
                crate_hash();
                hashes += 1;
            }
            // The last one ran past the end: each thread has a rate of its own.
            f64::from(hashes) / begun.elapsed().as_secs_f64()
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(start.elapsed() >= time);
    hashes
}

/// The same service as people build it who ask for all that their processor can.
fn native_build() -> Option<String> {
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/target/native");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--target-dir", target])
        .env("RUSTFLAGS", "-C target-cpu=native")
        .status();
    built.ok()?.success().then(|| format!("{target}/release/vestibule"))
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    model
        .map_or("an unknown processor", |name| name.trim_start_matches(['\t', ' ', ':']))
        .to_owned()
}
