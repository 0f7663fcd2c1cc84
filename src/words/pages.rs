//! The text of the pages, a module for each.

use std::borrow::Cow;

/// The title of a page; says first that something is to be corrected (GOV.UK Design System).
pub(crate) fn title(is_refused: bool, title: &str) -> Cow<'_, str> {
    if is_refused { format!("Error: {title}").into() } else { title.into() }
}

pub(crate) mod layout {
    pub(crate) const SKIP: &str = "Skip to the content";
    pub(crate) const MENU: &str = "Account";
    pub(crate) const PROFILE: &str = "Profile";
    pub(crate) const SIGN_IN: &str = "Sign in";
    pub(crate) const SIGN_OUT: &str = "Sign out";
    pub(crate) const SIGN_UP: &str = "Sign up";
}

pub(crate) mod home {
    pub(crate) const TITLE: &str = "Welcome";

    pub(crate) fn greeting(name: &str) -> String {
        format!("Good to see you, {name}")
    }

    pub(crate) fn signed_in_as(email: &str) -> String {
        format!("You are signed in as {email}.")
    }

    pub(crate) const TO_PROFILE: &str = "Go to your profile";

    pub(crate) fn welcome(site: &str) -> String {
        format!("Welcome to {site}")
    }

    pub(crate) const INTRODUCTION: &str = "One account for everything here. Sign up in half a minute, or sign in if you already have an account.";
    pub(crate) const SIGN_IN: &str = "Sign in";
    pub(crate) const SIGN_UP: &str = "Sign up";
}

pub(crate) mod sign_in {
    pub(crate) const TITLE: &str = "Sign in";
    pub(crate) const REMEMBER: &str = "Keep me signed in";
    pub(crate) const BUTTON: &str = "Sign in";
    pub(crate) const FORGOT_PASSWORD: &str = "Forgot your password?";
    pub(crate) const NO_ACCOUNT: &str = "No account yet?";
    pub(crate) const SIGN_UP: &str = "Sign up";
}

pub(crate) mod sign_up {
    pub(crate) const TITLE: &str = "Sign up";
    pub(crate) const BUTTON: &str = "Sign up";
    pub(crate) const IS_IT_YOURS: &str =
        "Is this your email address? Then sign in with its password.";
    pub(crate) const RESET_PASSWORD: &str = "Forgot the password?";
    pub(crate) const HAS_ACCOUNT: &str = "Already have an account?";
    pub(crate) const SIGN_IN: &str = "Sign in";
}

pub(crate) mod profile {
    pub(crate) const TITLE: &str = "Your profile";
    pub(crate) const EMAIL: &str = "Email address";
    pub(crate) const CONFIRMED: &str = "Confirmed";
    pub(crate) const NOT_CONFIRMED: &str =
        "Not confirmed yet. Follow the link in the email that we sent you.";
    pub(crate) const SEND_AGAIN: &str = "Send the link again";
    pub(crate) const MEMBER_SINCE: &str = "Member since";
    pub(crate) const SAVE: &str = "Save";
    pub(crate) const PASSWORD: &str = "Password";
    pub(crate) const CHANGE_PASSWORD: &str = "Change the password";
}

pub(crate) mod password_change {
    pub(crate) const TITLE: &str = "Change your password";
    pub(crate) const EFFECT: &str =
        "You stay signed in here. Every other device will be signed out.";
    pub(crate) const BUTTON: &str = "Change the password";
    pub(crate) const FORGOT_CURRENT: &str = "Forgot your current password?";
    pub(crate) const RESET: &str = "Reset it by email";
}

pub(crate) mod password_reset {
    pub(crate) const TITLE: &str = "Reset your password";
    pub(crate) const INTRODUCTION: &str =
        "Enter your email address, and we will send you a link to choose a new password.";
    pub(crate) const BUTTON: &str = "Send the link";
    pub(crate) const REMEMBERED: &str = "Remembered your password?";
    pub(crate) const SIGN_IN: &str = "Sign in";
}

pub(crate) mod password_reset_sent {
    pub(crate) const TITLE: &str = "Check your email";

    pub(crate) fn sent(email: &str) -> String {
        format!(
            "If {email} has an account here, we have sent an email with a link to it. The link works once, \
             for an hour."
        )
    }

    pub(crate) const NOTHING_ARRIVED: &str = "Has nothing arrived after a few minutes? Look in your spam folder, and check the address above.";
    pub(crate) const TRY_AGAIN: &str = "Try again";
}

pub(crate) mod password_reset_link {
    pub(crate) const TITLE: &str = "Choose a new password";
    pub(crate) const EFFECT: &str =
        "Every device that is signed in to the account will be signed out.";
    pub(crate) const BUTTON: &str = "Set the password";
}

pub(crate) mod verify_email {
    pub(crate) const TITLE: &str = "Confirm your address";

    pub(crate) fn introduction(email: &str) -> String {
        format!("Press the button to confirm that {email} is your email address.")
    }

    pub(crate) const PASSWORD_HINT: &str =
        "You are not signed in here. Enter the password to show that the account is yours.";
    pub(crate) const BUTTON: &str = "Confirm the address";
}

pub(crate) mod dead_link {
    pub(crate) const TITLE: &str = "This link does not work any more";
    pub(crate) const REASON: &str = "The link has been used or is too old, or part of it is missing. Links in \
         our emails work once, and only for a while.";
    pub(crate) const NEW_RESET_LINK: &str = "Get a new link";
    pub(crate) const NEW_VERIFY_LINK: &str = "Go to your profile to get a new link";
}
