//! The text of the pages, a module for each.

use std::borrow::Cow;

use askama::filters::Safe;

use super::{Around, Text, around, text};

/// The title of a page; begins with a note if there are errors (GOV.UK Design System).
pub(crate) fn title(is_refused: bool, Safe(title): Text) -> Safe<Cow<'static, str>> {
    Safe(if is_refused { format!("Error: {title}").into() } else { title.into() })
}

pub(crate) mod layout {
    use super::{Text, text};
    use crate::config::{Link, LinksConfig};

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

    pub(crate) const ABOUT: Text = text("About this site");

    /// The links at the foot of the page that are set, with what they are called.
    pub(crate) fn footer(links: &LinksConfig) -> impl Iterator<Item = (Text, &Link)> {
        let named = [
            (text("Privacy"), &links.privacy),
            (text("Terms"), &links.terms),
            (text("Imprint"), &links.imprint),
            (text("Support"), &links.support),
        ];
        named.into_iter().filter_map(|(name, link)| Some((name, link.as_ref()?)))
    }
}

pub(crate) mod home {
    use super::{Around, Text, around, text};

    pub(crate) const TITLE: Text = text("Welcome");
    pub(crate) const GREETING: Around = around("Good to see you, {}");
    /// For somebody without a name: an address is no way to greet anybody.
    pub(crate) const GREETING_NOBODY: Text = text("Good to see you");
    pub(crate) const SIGNED_IN_AS: Around = around("You are signed in as {}.");
    pub(crate) const TO_PROFILE: Text = text("Go to your profile");
    pub(crate) const WELCOME: Around = around("Welcome to {}");
    pub(crate) const INTRODUCTION: Text =
        text("Sign up for an account, or sign in if you already have one.");
    pub(crate) const SIGN_IN: Text = text("Sign in");
    pub(crate) const SIGN_UP: Text = text("Sign up");
    /// Where nobody can sign up.
    pub(crate) const SIGN_IN_ONLY: Text = text("Sign in to your account.");
}

pub(crate) mod recent_login {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Enter your password again");

    pub(crate) const REASON: Text =
        text("This step asks for your password, in case somebody else is at your screen.");
    pub(crate) const BUTTON: Text = text("Continue");
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
    /// If addresses have to be confirmed.
    pub(crate) const NOT_CONFIRMED: Text = text("No confirmation email?");
    pub(crate) const SEND_LINK: Text = text("Send it again");
}

pub(crate) mod sign_out {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Sign out");

    pub(crate) const BUTTON: Text = text("Sign out");
    pub(crate) const NOT_SIGNED_IN: Text = text("You are not signed in here.");
    pub(crate) const SIGN_IN: Text = text("Sign in");
}

pub(crate) mod sign_up {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Sign up");
    pub(crate) const BUTTON: Text = text("Sign up");
    /// Beside a taken address, with two links: “If it is yours, sign in or reset the password.”
    pub(crate) const IF_IT_IS_YOURS: Text = text("If it is yours,");
    pub(crate) const SIGN_IN_INSTEAD: Text = text("sign in");
    pub(crate) const OR: Text = text("or");
    pub(crate) const RESET_PASSWORD: Text = text("reset the password");
    pub(crate) const HAS_ACCOUNT: Text = text("Already have an account?");
    pub(crate) const SIGN_IN: Text = text("Sign in");
}

pub(crate) mod sign_up_closed {
    use super::{Text, text};
    use crate::config::SignUps;

    pub(crate) fn title(signups: SignUps) -> Text {
        match signups {
            SignUps::ByInvitation => text("You need an invitation"),
            SignUps::Open | SignUps::Closed => text("Sign-up is closed"),
        }
    }

    pub(crate) fn reason(signups: SignUps) -> &'static str {
        match signups {
            SignUps::ByInvitation => {
                "Accounts here are by invitation. If you have one, open the link in its email."
            }
            SignUps::Open | SignUps::Closed => "No new accounts can be created here at the moment.",
        }
    }

    pub(crate) const SIGN_IN: Text = text("Sign in");
    pub(crate) const SUPPORT: Text = text("Contact support");
}

pub(crate) mod sign_up_sent {
    use super::{Around, Text, around, text};

    pub(crate) const TITLE: Text = text("Check your email");
    pub(crate) const SENT: Around =
        around("We have sent an email to {}. Open the link in it to finish signing up.");
    pub(crate) const LIFETIME: Text = text(
        "You can use the link once, within 24 hours. You will need the password that you have just chosen.",
    );
    /// Without an address that was typed.
    pub(crate) const ASK_TITLE: Text = text("Confirm your email address");
    pub(crate) const ASK: Text = text(
        "Signed up, but got no email? Enter your email address, and we will send you the link again.",
    );
    pub(crate) const BUTTON: Text = text("Send the link");
    pub(crate) const SIGN_UP_AGAIN: Text = text("Sign up with another email address");
}

pub(crate) mod sign_up_link {
    use super::{Around, Text, around, text};

    pub(crate) const TITLE: Text = text("Confirm your email address");
    pub(crate) const INTRODUCTION: Around =
        around("Enter the password that you chose for {} when you signed up.");
    pub(crate) const BUTTON: Text = text("Confirm and sign in");
    pub(crate) const FORGOTTEN: Text = text("Don't know the password any more?");
    pub(crate) const SIGN_UP_AGAIN: Text = text("Sign up again");
}

pub(crate) mod invitation {
    use super::{Text, text};

    pub(crate) const PAGE: Text = text("Accept the invitation");
    pub(crate) const INTRODUCTION: Text =
        text("You are invited to create an account. Choose a password for it.");
    pub(crate) const BUTTON: Text = text("Create the account");
}

pub(crate) mod profile {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Your profile");
    pub(crate) const EMAIL: Text = text("Email address");
    pub(crate) const CONFIRMED: Text = text("Confirmed");
    pub(crate) const NOT_CONFIRMED: Text =
        text("Not confirmed yet. Open the link in the email that we sent you.");
    /// A mail server has refused the address.
    pub(crate) fn unreachable(email: &str, is_confirmed: bool) -> String {
        let what_to_do = if is_confirmed {
            "Check that the mailbox still exists and is not full: you need it to reset a forgotten password."
        } else {
            "If the address is misspelt, change it. If it is right, make sure that the mailbox is not full, and send the \
             email again."
        };
        format!("We could not reach {email}: its mail server accepts no email for it. {what_to_do}")
    }

    pub(crate) const SEND_AGAIN: Text = text("Send the link again");
    pub(crate) const MEMBER_SINCE: Text = text("Member since");
    pub(crate) const SAVE: Text = text("Save");
}

pub(crate) mod password_change {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Change your password");
    pub(crate) const EFFECT: Text =
        text("You will stay signed in here, and be signed out everywhere else.");
    pub(crate) const BUTTON: Text = text("Change the password");
    pub(crate) const FORGOT_CURRENT: Text = text("Forgot your current password?");
    pub(crate) const RESET: Text = text("Reset it by email");
}

pub(crate) mod password_reset {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Reset your password");
    pub(crate) const INTRODUCTION: Text =
        text("Enter your email address. We will send you a link to choose a new password.");
    pub(crate) const BUTTON: Text = text("Send the link");
    pub(crate) const REMEMBERED: Text = text("Remember your password?");
    pub(crate) const SIGN_IN: Text = text("Sign in");
}

pub(crate) mod password_reset_sent {
    use std::time::Duration;

    use super::{Around, Text, around, text};
    use crate::words::dates::length;

    pub(crate) const TITLE: Text = text("Check your email");
    pub(crate) const SENT: Around =
        around("If there is an account with the email address {}, we have sent a link to it.");
    /// For a browser that does not keep the address.
    pub(crate) const SENT_SOMEWHERE: Text = text(
        "If there is an account with the email address that you entered, we have sent a link to it.",
    );
    pub(crate) const LIFETIME: Text = text("You can use the link once, within 1 hour.");
    pub(crate) const NOTHING_ARRIVED: Text = text("No email?");
    pub(crate) const CHECK_SPAM: Text = text(
        "It can take a few minutes to arrive. Check your spam folder, and check that the email address is right.",
    );

    /// How often a link can be sent again.
    pub(crate) fn times_left(times: i64) -> String {
        match times {
            1 => "You can have the link sent again once within the hour.".into(),
            _ => format!("You can have the link sent again {times} times within the hour."),
        }
    }

    /// Everything that an hour allows was sent.
    pub(crate) fn again_in(wait: Duration) -> String {
        let time = length(wait.as_secs().max(1));
        format!(
            "We have sent as many links as we can for now. You can have another one sent in {time}."
        )
    }

    pub(crate) const SEND_AGAIN: Text = text("Send the link again");
    pub(crate) const ANOTHER_ADDRESS: Text = text("Use another email address");
    pub(crate) const SIGN_IN: Text = text("Back to sign in");
}

pub(crate) mod password_reset_link {
    use super::{Text, text};

    pub(crate) fn title(is_first: bool) -> Text {
        if is_first { text("Choose your password") } else { text("Choose a new password") }
    }

    pub(crate) const FIRST: Text = text("Your account is ready as soon as you have chosen one.");
    pub(crate) const EFFECT: Text =
        text("You will be signed out everywhere, and can sign in with the new password.");
    pub(crate) const BUTTON: Text = text("Set the password");
}

pub(crate) mod verify_email {
    use super::{Around, Text, around, text};

    pub(crate) const TITLE: Text = text("Confirm your address");
    pub(crate) const INTRODUCTION: Around = around("Is {} your email address?");
    pub(crate) const PASSWORD_HINT: &str =
        "You are not signed in here. Enter your password to show that the account is yours.";
    pub(crate) const BUTTON: Text = text("Confirm the address");
}

pub(crate) mod dead_link {
    use super::{Text, text};
    use crate::auth::Purpose;

    pub(crate) const TITLE: Text = text("This link does not work any more");
    pub(crate) const REASON: Text = text(
        "The link has been used or is too old, or a part of it is missing. You can use the links in our emails \
         once, and only for a limited time.",
    );

    /// What may be the case, and what to do now.
    pub(crate) fn advice(purpose: Purpose) -> Text {
        match purpose {
            Purpose::PasswordReset | Purpose::SetPassword => {
                text("You can have a new link sent to you.")
            }
            Purpose::SignUp => text(
                "Your email address may already be confirmed: then you can sign in. If it is not, sign up once more.",
            ),
            Purpose::Invitation => text(
                "If you have accepted the invitation already, you can sign in. If not, ask for another one.",
            ),
            Purpose::VerifyEmail => text(
                "Your email address may already be confirmed. Your profile says so, or sends you a new link.",
            ),
            Purpose::EmailChange => text(
                "Your email address may already be changed. If it is not, ask for the change once more.",
            ),
            Purpose::EmailUndo => text(
                "If you have put your email address back already, reset the password of your account, so that nobody \
                 else can sign in.",
            ),
            Purpose::NotMe => text(
                "If you are not sure that your account is yours alone, reset its password: that signs out every \
                 device.",
            ),
            Purpose::AccountRestore => text(
                "If you have restored your account already, you can sign in. If it was erased, it cannot be restored \
                 any more.",
            ),
        }
    }

    pub(crate) fn button(purpose: Purpose) -> Text {
        match purpose {
            Purpose::PasswordReset | Purpose::SetPassword => text("Get a new link"),
            Purpose::VerifyEmail => text("Go to your profile"),
            Purpose::EmailChange => text("Go to sign-in and security"),
            Purpose::EmailUndo | Purpose::NotMe => text("Reset your password"),
            Purpose::SignUp | Purpose::Invitation | Purpose::AccountRestore => text("Sign in"),
        }
    }

    /// If the link would have given an account back that somebody else has.
    pub(crate) const SUPPORT: Text = text("Contact support");
}
