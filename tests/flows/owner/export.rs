//! Everything that is stored about an account: promise 58.

use std::collections::BTreeSet;

use rocket::http::Method;

use super::with_verified_ada;
use crate::harness::{ADA, TestApp};

#[test]
fn the_owner_downloads_everything_and_no_secret() {
    let app = with_verified_ada();
    app.post("/profile", [("name", "Ada Lovelace")]).redirects_to("/profile");
    app.elsewhere();
    app.other_browser().sign_up("grace@example.com");
    app.visit("/your-data").is(200).says("/export\"");
    let file = app.visit("/export").is(200);
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"account.json\""));
    let all = file.json();
    assert_eq!(all["account"]["email"], ADA);
    assert_eq!(all["account"]["name"], "Ada Lovelace");
    assert_eq!(all["sessions"].as_array().unwrap().len(), 2);
    assert!(all["events"].as_array().unwrap().len() >= 4, "{all}");
    let text = file.body.to_lowercase();
    for secret in ["digest", "hash", "$2b$", "key", "grace"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    app.ask(Method::Get, "/api/v1/export").is(200);
    app.other_browser().visit("/export").redirects_to("/login?next=/your-data");
    app.other_browser().ask(Method::Get, "/api/v1/export").is(401);
    app.emails();
}

/// Promise 68: the file of an account that strangers or its owner have kept busy costs no more than other requests.
#[test]
fn the_newest_of_very_many_events_are_in_the_file() {
    let app = with_verified_ada();
    let id = if app.is_sqlite() { "randomblob(16)" } else { "gen_random_uuid()" };
    app.sql(&format!(
        "INSERT INTO vestibule_events (id, at, kind, user_id, ip, user_agent) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) \
         SELECT {id}, i, 'recorded-by-a-newer-version', users.id, '', '' FROM n, vestibule_users AS users \
         WHERE users.email_key = '{ADA}'"
    ));
    let all = app.visit("/export").is(200).json();
    let events = all["events"].as_array().unwrap();
    assert_eq!(events.len(), 5000);
    assert_eq!(events[0]["event"], "email-verified");
}

/// Promise 58: whoever adds a column decides whether it belongs to the export.
#[test]
fn every_column_is_exported_or_secret() {
    /// Columns that are exported, perhaps under another name.
    const EXPORTED: &[&str] = &[
        "events.at",
        "events.ip",
        "events.kind",
        "events.user_agent",
        "former_emails.changed_at",
        "former_emails.email",
        "former_emails.undo_until",
        "links.created_at",
        "links.expires_at",
        "links.purpose",
        "links.recipient",
        "outbox.created_at",
        "outbox.device",
        "outbox.ip",
        "outbox.message",
        "outbox.recipient",
        "sessions.created_at",
        "sessions.id",
        "sessions.ip",
        "sessions.last_seen_at",
        "sessions.user_agent",
        "users.created_at",
        "users.delete_at",
        "users.disabled_at",
        "users.email",
        "users.email_verified_at",
        "users.id",
        "users.email_refused_at",
        "users.is_admin",
        "users.name",
        "users.new_email",
    ];
    /// Secrets and their digests, and what says nothing about the person.
    const KEPT_BACK: &[&str] = &[
        "events.due_at",
        "events.id",
        "events.user_id",
        "former_emails.email_key",
        "former_emails.id",
        "former_emails.user_id",
        "links.digest",
        "links.message_id",
        "links.payload",
        "links.user_id",
        "outbox.attempts",
        "outbox.domain_key",
        "outbox.due_at",
        "outbox.id",
        "outbox.payload",
        "outbox.priority",
        "outbox.quota_key",
        "outbox.refusals",
        "outbox.site_key",
        "outbox.unknown_outcomes",
        "outbox.user_id",
        "passwords.hash",
        "passwords.user_id",
        "passwords.version",
        "renewed_sessions.digest",
        "renewed_sessions.renewed_at",
        "renewed_sessions.session_id",
        "renewed_sessions.user_id",
        "sessions.authenticated_at",
        "sessions.digest",
        "sessions.expires_at",
        "sessions.remembered",
        "sessions.user_id",
        "used_links.digest",
        "used_links.purpose",
        "used_links.used_at",
        "used_links.user_id",
        "users.charged_key",
        "users.charged_millis",
        "users.email_key",
        "users.new_email_key",
    ];
    let app = TestApp::with_ada();
    let columns = if app.is_sqlite() {
        "SELECT substr(m.name, 11) || '.' || c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name LIKE 'vestibule_%'"
    } else {
        "SELECT substr(table_name, 11) || '.' || column_name FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name LIKE 'vestibule_%'"
    };
    let about_nobody = ["throttle.", "health.", "migrations.", "outages."];
    let found: BTreeSet<String> = app
        .texts(columns)
        .into_iter()
        .filter(|column| !about_nobody.iter().any(|table| column.starts_with(table)))
        .collect();
    let known: BTreeSet<String> =
        EXPORTED.iter().chain(KEPT_BACK).map(|column| (*column).to_owned()).collect();
    assert_eq!(found, known);
}
