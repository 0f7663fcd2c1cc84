//! Errors that are not about a form.

use std::fmt;

use super::{Around, around};
use crate::SignInFirst;

/// For a request that another website sent without the user knowing.
pub(crate) const CROSS_SITE: &str = "This request came from another website, so nothing was done. If you \
     pressed a button on this site, load the page again and try again.";

/// The same, for a browser that names the origin.
pub(crate) fn cross_site_from(named: &str, own: &str) -> String {
    format!(
        "This request came from another website, so nothing was done. If you pressed a button on this \
         site, load the page again and try again. Your browser says that it came from {named}; this \
         site is {own}."
    )
}

/// Where a host app prints why a guard refuses.
impl fmt::Display for SignInFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(explanation(self.status().code))
    }
}

/// For a form that was sent without being signed in.
pub(crate) const SIGNED_OUT: &str = "You were not signed in when you sent the form, so nothing was done. Sign in, and fill it in again.";

/// For a form that needs a recent sign-in.
pub(crate) const LOGIN_TOO_OLD: &str = "This needs your password once more, since you signed in a while ago. Nothing \
     was done. Enter your password, and fill in the form again.";

pub(crate) const UNREADABLE_ADDRESS: &str = "The address could not be read.";

/// For all clients alike, in an app without a page for it.
pub(crate) const UNREADABLE_REQUEST: &str = "The request could not be read.\n";

/// The heading for a status code.
pub(crate) fn title(status: u16) -> &'static str {
    match status {
        400 => "We could not read your request",
        401 => "You are not signed in",
        403 => "You do not have access",
        404 => "Page not found",
        405 => "That is not possible here",
        413 | 431 => "Your request is too large",
        415 => "We could not read the form",
        422 => "Something is missing",
        429 => "Wait a moment",
        503 => "Service temporarily unavailable",
        500.. => "Sorry, something went wrong",
        _ => "We could not do that",
    }
}

/// What happened and what to do now, for a status code.
pub(crate) fn explanation(status: u16) -> &'static str {
    match status {
        400 => {
            "Your browser sent something that we could not read. Go back, reload the page and try again."
        }
        401 => "Sign in first.",
        403 => "You do not have permission to do this.",
        404 => {
            "There is no page at this address. Check that it is spelt correctly, and that you copied all of it."
        }
        405 => "There is a page at this address, but it does not do what was asked of it.",
        413 => "You sent more than we can accept.",
        415 => "Pages accept forms. Addresses for programs accept forms and JSON.",
        422 => "Something that this address needs was not sent.",
        431 => {
            "The headers of the request are too long. Delete the cookies of this site and try again."
        }
        503 => "The service cannot do this right now. Try again in a few seconds.",
        500.. => "The problem is on our side. Try again later.",
        _ => "Your request could not be answered.",
    }
}

/// The reference to quote to the operators of the site.
pub(crate) const REFERENCE: Around = around("If you contact support, quote reference {}.");

pub(crate) const BACK: &str = "Back";
pub(crate) const TRY_AGAIN: &str = "Try again";
pub(crate) const TO_FRONT_PAGE: &str = "Go to the front page";
