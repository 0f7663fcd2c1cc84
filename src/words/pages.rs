//! The text of the pages, a module for each.

use std::borrow::Cow;

use askama::filters::Safe;

use super::{Text, text};

/// The title of a page; begins with a note if there are errors (GOV.UK Design System).
pub(crate) fn title(is_refused: bool, Safe(title): Text) -> Safe<Cow<'static, str>> {
    Safe(if is_refused { format!("Error: {title}").into() } else { title.into() })
}

pub(crate) mod layout {
    use super::{Text, text};

    pub(crate) const SKIP: Text = text("Skip to the content");
    pub(crate) const MENU: Text = text("Account");
    pub(crate) const PROFILE: Text = text("Profile");
    pub(crate) const SIGN_IN: Text = text("Sign in");
    pub(crate) const SIGN_OUT: Text = text("Sign out");
    pub(crate) const SIGN_UP: Text = text("Sign up");

    /// For search engines.
    pub(crate) fn description(site: &str) -> String {
        format!("Your account at {site}: sign up, sign in, and look after your password.")
    }
}

pub(crate) mod home {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Welcome");

    pub(crate) fn greeting(name: &str) -> String {
        format!("Good to see you, {name}")
    }

    pub(crate) fn signed_in_as(email: &str) -> String {
        format!("You are signed in as {email}.")
    }

    pub(crate) const TO_PROFILE: Text = text("Go to your profile");

    pub(crate) fn welcome(site: &str) -> String {
        format!("Welcome to {site}")
    }

    pub(crate) const INTRODUCTION: Text = text(
        "One account for everything here. Sign up in half a minute, or sign in if you already have an account.",
    );
    pub(crate) const SIGN_IN: Text = text("Sign in");
    pub(crate) const SIGN_UP: Text = text("Sign up");
}

pub(crate) mod recent_login {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Enter your password again");

    pub(crate) fn reason(email: &str) -> String {
        format!(
            "You are signed in as {email}. This step asks for your password, in case somebody else is at your screen."
        )
    }

    pub(crate) const BUTTON: Text = text("Go on");
    pub(crate) const FORGOT_PASSWORD: Text = text("Forgot your password?");
    pub(crate) const NOT_YOU: Text = text("Not you?");
    pub(crate) const SIGN_IN: Text = text("Sign in as somebody else");
    /// On the page of a form that was sent without a recent sign-in.
    pub(crate) const GO_ON: Text = text("Enter your password");
}

pub(crate) mod sign_in {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Sign in");
    pub(crate) const REMEMBER: Text = text("Keep me signed in");
    pub(crate) const BUTTON: Text = text("Sign in");
    pub(crate) const FORGOT_PASSWORD: Text = text("Forgot your password?");
    pub(crate) const NO_ACCOUNT: Text = text("No account yet?");
    pub(crate) const SIGN_UP: Text = text("Sign up");
}

pub(crate) mod sign_out {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Sign out");

    pub(crate) fn signed_in_as(email: &str) -> String {
        format!("You are signed in as {email}.")
    }

    pub(crate) const BUTTON: Text = text("Sign out");
    pub(crate) const NOT_SIGNED_IN: Text = text("You are not signed in here.");
    pub(crate) const SIGN_IN: Text = text("Sign in");
}

pub(crate) mod sign_up {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Sign up");
    pub(crate) const BUTTON: Text = text("Sign up");
    pub(crate) const IS_IT_YOURS: Text =
        text("Is this your email address? Then sign in with its password.");
    pub(crate) const RESET_PASSWORD: Text = text("Forgot the password?");
    pub(crate) const HAS_ACCOUNT: Text = text("Already have an account?");
    pub(crate) const SIGN_IN: Text = text("Sign in");
}

pub(crate) mod profile {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Your profile");
    pub(crate) const EMAIL: Text = text("Email address");
    pub(crate) const CONFIRMED: Text = text("Confirmed");
    pub(crate) const NOT_CONFIRMED: Text =
        text("Not confirmed yet. Follow the link in the email that we sent you.");
    /// A mail server has refused the address.
    pub(crate) fn unreachable(email: &str, is_confirmed: bool) -> String {
        let what_to_do = if is_confirmed {
            "Check that the mailbox still exists and is not full: you need it to reset a forgotten password."
        } else {
            "If the address is misspelt, sign out and sign up with the right one. If it is right, make sure that the \
             mailbox is not full, and send the email again."
        };
        format!("We could not reach {email}: its mail server accepts no email for it. {what_to_do}")
    }

    pub(crate) const SEND_AGAIN: Text = text("Send the link again");
    pub(crate) const MEMBER_SINCE: Text = text("Member since");
    pub(crate) const SAVE: Text = text("Save");
    pub(crate) const PASSWORD: Text = text("Password");
    pub(crate) const CHANGE_PASSWORD: Text = text("Change the password");
}

pub(crate) mod password_change {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Change your password");
    pub(crate) const EFFECT: Text =
        text("You stay signed in here. Every other device will be signed out.");
    pub(crate) const BUTTON: Text = text("Change the password");
    pub(crate) const FORGOT_CURRENT: Text = text("Forgot your current password?");
    pub(crate) const RESET: Text = text("Reset it by email");
}

pub(crate) mod password_reset {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Reset your password");
    pub(crate) const INTRODUCTION: Text =
        text("Enter your email address, and we will send you a link to choose a new password.");
    pub(crate) const BUTTON: Text = text("Send the link");
    pub(crate) const REMEMBERED: Text = text("Remembered your password?");
    pub(crate) const SIGN_IN: Text = text("Sign in");
}

pub(crate) mod password_reset_sent {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Check your email");

    pub(crate) fn sent(email: &str) -> String {
        format!(
            "If {email} has an account here, we have sent an email with a link to it. The link works once, \
             for an hour."
        )
    }

    pub(crate) const NOTHING_ARRIVED: Text = text(
        "Has nothing arrived after a few minutes? Look in your spam folder, and check the address above.",
    );
    pub(crate) const TRY_AGAIN: Text = text("Try again");
}

pub(crate) mod password_reset_link {
    use super::{Text, text};

    pub(crate) fn title(is_first: bool) -> Text {
        if is_first { text("Choose your password") } else { text("Choose a new password") }
    }

    pub(crate) const FIRST: Text = text("Then your account is ready.");
    pub(crate) const EFFECT: Text =
        text("Every device that is signed in to the account will be signed out.");
    pub(crate) const BUTTON: Text = text("Set the password");
}

pub(crate) mod verify_email {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Confirm your address");

    pub(crate) fn introduction(email: &str) -> String {
        format!("Press the button to confirm that {email} is your email address.")
    }

    pub(crate) const PASSWORD_HINT: &str =
        "You are not signed in here. Enter the password to show that the account is yours.";
    pub(crate) const BUTTON: Text = text("Confirm the address");
}

pub(crate) mod dead_link {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("This link does not work any more");
    pub(crate) const REASON: Text = text(
        "The link has been used or is too old, or part of it is missing. Links in \
         our emails work once, and only for a while.",
    );
    pub(crate) const NEW_RESET_LINK: Text = text("Get a new link");
    pub(crate) const MAY_BE_CONFIRMED: Text =
        text("Your email address may already be confirmed: sign in to see.");
    pub(crate) const NEW_VERIFY_LINK: Text = text("Go to your profile to get a new link");
}
