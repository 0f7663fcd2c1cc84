//! Errors that are not about a form.

use std::fmt;

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
        400 => "We could not read that",
        401 => "You are not signed in",
        403 => "You do not have access",
        404 => "Page not found",
        405 => "That is not possible here",
        413 | 431 => "That is too large",
        415 => "This is not a form that we can read",
        422 => "Something is missing",
        429 => "Wait a moment",
        503 => "The service is not available right now",
        500.. => "Something went wrong",
        _ => "That did not work",
    }
}

/// What happened and what to do now, for a status code.
pub(crate) fn explanation(status: u16) -> &'static str {
    match status {
        400 => "The request could not be read. Go back, load the page again and try again.",
        401 => "Sign in first.",
        403 => "You do not have permission to do this.",
        404 => "There is no page at this address. Check the address, or go to the front page.",
        405 => "This address exists, but not for this method.",
        413 => "What was sent is larger than anything we ask for.",
        415 => "Pages take forms. Addresses for programs take forms and JSON.",
        422 => "What was sent is not what this address asks for.",
        431 => "The request has headers that are longer than any that are needed.",
        503 => "The service cannot do this right now. Try again in a few seconds.",
        500.. => "The fault is ours, not yours. Try again later.",
        _ => "The request could not be answered.",
    }
}

/// The reference to quote to the operators of the site.
pub(crate) fn reference(reference: &str) -> String {
    format!("If you report this, quote the reference {reference}.")
}

pub(crate) const TO_FRONT_PAGE: &str = "Go to the front page";
