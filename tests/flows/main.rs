//! Tests of the service as people and programs use it, through Rocket's local client. `cargo test` runs them on
//! SQLite, and again on PostgreSQL if `TEST_POSTGRES_URL` names a server; see `postgres.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

mod accounts;
mod api;
mod binary;
mod check;
mod contract;
mod cookies;
mod cross_site;
mod disk;
mod embed;
mod events;
mod faults;
mod fuzz;
mod input;
mod interleave;
mod login;
mod mail;
mod methods;
mod nodes;
mod owner;
mod pages;
mod password_change;
mod password_reset;
mod postgres;
mod profile;
mod proxies;
mod public_url;
mod races;
mod sessions;
mod signup;
mod site;
mod stopping;
mod throttle;
mod twice;
mod unreachable;
mod upgrade;
mod verify_email;
mod ways_in;
mod worst;
