//! PostgreSQL without a free connection.

use tempfile::TempDir;

use crate::harness::process::{Process, ask, form_post, sign_up_form};
use crate::harness::{SECRET_KEY, postgres};

/// Promise 53: PostgreSQL has fewer connections left than the pool may open. Nobody waits for one more while there is a
/// free one.
#[test]
fn a_shortage_of_connections_costs_nobody_a_sign_in() {
    let Some(database) = postgres::new_postgres_database() else { return };
    let mut url: url::Url = database.parse().unwrap();
    let (_, schema) = database.split_once("search_path%3D").unwrap();
    let role = format!("few_{schema}");
    postgres::run_on_server(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 2"));
    postgres::run_on_server(&format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}"));
    url.set_username(&role).unwrap();
    let folder = TempDir::new().unwrap();
    let settings = [
        ("VESTIBULE_DATABASE_URL", url.as_str()),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("ROCKET_DATABASES__VESTIBULE__MAX_CONNECTIONS", "8"),
        ("VESTIBULE_THROTTLE__ATTEMPTS_BY_IP", "1000"),
        ("VESTIBULE_THROTTLE__SIGNUPS_BY_IP", "1000"),
        ("VESTIBULE_JOBS", "false"),
    ];
    let service = Process::start(folder.path(), &settings);
    let port = service.port;
    let all: Vec<_> = (0..30)
        .map(|n| {
            let form = sign_up_form(&format!("p{n}@example.com"));
            std::thread::spawn(move || {
                let signed_up = ask(port, &form_post("/signup", &form)).unwrap();
                let signed_in = ask(port, &form_post("/login", &form)).unwrap();
                [signed_up, signed_in].map(|seen| seen[..12].to_owned())
            })
        })
        .collect();
    let statuses = all.into_iter().flat_map(|one| one.join().unwrap());
    let failed: Vec<String> = statuses.filter(|status| status != "HTTP/1.1 303").collect();
    assert!(failed.is_empty(), "{failed:?}");
    drop(service);
    postgres::run_on_server(&format!("DROP SCHEMA {schema} CASCADE"));
    postgres::run_on_server(&format!("DROP OWNED BY {role}"));
    postgres::run_on_server(&format!("DROP ROLE {role}"));
}
