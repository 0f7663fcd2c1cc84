//! Rate limits and load.

mod accounts;
mod client_ips;
mod hashing;
mod known_devices;
mod mail_rate;
mod mailboxes;
mod outbox;
mod tables;
mod trusted_proxies;

use std::time::Duration;

use crate::harness::{Browser, PASSWORD};

const SECOND: Duration = Duration::from_secs(1);

fn retry_after(browser: &Browser, email: &str) -> u64 {
    let seen = browser.post("/login", [("email", email), ("password", PASSWORD)]).is(429);
    seen.header("retry-after").expect("Retry-After").parse().unwrap()
}
