//! Refusals, and when to try again.

use super::dates::length;
use crate::auth::Wait;
use crate::config::EmailDomain;

pub(crate) const WRONG_CREDENTIALS_TITLE: &str = "There is a problem";
pub(crate) const WRONG_CREDENTIALS: &str = "Email address or password is incorrect.";
pub(crate) const SIGNED_OUT_TITLE: &str = "You are not signed in";
pub(crate) const SIGNED_OUT: &str = "Sign in first.";
pub(crate) const COOKIES_LOST_TITLE: &str = "Your browser did not keep the cookie";
pub(crate) const COOKIES_LOST: &str = "Staying signed in needs a cookie, and your browser has not sent back the one that \
     came with this page. Allow cookies for this site, and try again.";
pub(crate) const DEAD_LINK_TITLE: &str = "This link does not work any more";
pub(crate) const DEAD_LINK: &str = "The token of the link is not valid, or no longer valid.";
pub(crate) const EMAIL_TAKEN: &str = "There is already an account with this email address.";
pub(crate) const EMAIL_TAKEN_TITLE: &str = "You already have an account";
pub(crate) const WRONG_SIGN_UP_PASSWORD: &str =
    "This is not the password that you chose when you signed up.";
pub(crate) const WRONG_CURRENT_PASSWORD: &str = "This is not your current password.";
pub(crate) const WRONG_PASSWORD: &str = "This is not the password of this account.";
pub(crate) const WAIT_TITLE: &str = "Wait a moment";

/// Only addresses at some domains may have accounts.
pub(crate) fn other_domain(domains: &[EmailDomain]) -> String {
    let names: Vec<&str> = domains.iter().map(EmailDomain::as_str).collect();
    match &names[..] {
        [domain] => format!("Use an email address at {domain}."),
        _ => format!("Use an email address at one of these domains: {}.", names.join(", ")),
    }
}

/// The reason for a temporary refusal, and how long to wait.
pub(crate) fn wait(wait: Wait) -> String {
    let time = length(wait.seconds());
    match wait {
        Wait::TooManyAttempts(_) => format!("Too many attempts. Wait {time} and try again."),
        Wait::SignUps(_) => {
            format!("Many people have just signed up from your network. Wait {time} and try again.")
        }
        Wait::Busy(_) => {
            format!("Very many people are signing in right now. Wait {time} and try again.")
        }
        Wait::Outbox(_) => {
            format!("Too many emails are waiting to be sent. Wait {time} and try again.")
        }
        Wait::Messages(_) => format!(
            "Too many emails that were asked for from your network are waiting to be sent. Wait {time} and try again."
        ),
    }
}
