//! The text of the pages on which owners look after their account, a module for each.

use std::borrow::Cow;

use super::{Around, Text, around, text};
use crate::auth::Event;

pub(crate) mod sections {
    use super::{Text, text};

    pub(crate) const LABEL: Text = text("Your account");
    pub(crate) const PROFILE: Text = text("Profile");
    pub(crate) const SECURITY: Text = text("Security");
    pub(crate) const DEVICES: Text = text("Devices");
    pub(crate) const ACTIVITY: Text = text("Activity");
    pub(crate) const YOUR_DATA: Text = text("Data");
}

pub(crate) mod security {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Sign-in and security");
    pub(crate) const EMAIL: Text = text("Email address");
    pub(crate) const CHANGE_EMAIL: Text = text("Change email address");
    pub(crate) const PASSWORD: Text = text("Password");
    pub(crate) const PASSWORD_HELP: Text = text("Changing it signs out every other device.");
    pub(crate) const CHANGE_PASSWORD: Text = text("Change password");
    pub(crate) const NOT_ME: Text = text("Was somebody else in your account?");
    pub(crate) const NOT_ME_HELP: Text =
        text("Sign out every other device and choose a new password.");
    pub(crate) const NOT_ME_BUTTON: Text = text("Secure your account");
    pub(crate) const BACK: Text = text("Back to sign-in and security");
}

pub(crate) mod email_change {
    use super::{Around, Text, around, text};

    pub(crate) const TITLE: Text = text("Change your email address");
    pub(crate) const NOW: Around = around("Your email address is {}.");
    pub(crate) const EFFECT: Text = text(
        "We send a link to the new address. Nothing changes until you open it and press the button there.",
    );
    pub(crate) const NEW_EMAIL: &str = "New email address";
    pub(crate) const BUTTON: Text = text("Send the link");
    pub(crate) const WAITING: Around = around("You have asked to change it to {}.");
    pub(crate) const WAITING_HELP: Text = text(
        "Nothing changes until you open the link that we have sent there. No email? Check your spam folder, or have \
         it sent again.",
    );
    pub(crate) const SEND_AGAIN: Text = text("Send the link again");
    pub(crate) const CANCEL: Text = text("Cancel the change");
    pub(crate) const CONFIRM_TITLE: Text = text("Confirm your new email address");

    pub(crate) const EFFECT_OF_CONFIRMING: Around =
        around("From now on you sign in with {}, and all emails about your account go there.");

    pub(crate) const CONFIRM_BUTTON: Text = text("Use this address");
    pub(crate) const WHY_PASSWORD: Text =
        text("You are not signed in here. Enter your password to show that the account is yours.");
    pub(crate) const SAME: &str = "That is your email address already";
    pub(crate) const TAKEN_TITLE: &str = "This email address is taken";
    pub(crate) const TAKEN: &str =
        "Another account has got this email address in the meantime. Your account is unchanged.";
}

pub(crate) mod email_undo {
    use super::{Around, Text, around, text};

    pub(crate) const TITLE: Text = text("Put your email address back");
    pub(crate) const EFFECT: Around = around(
        "Your account gets the email address {} again. Every device is signed out, and you choose a new password.",
    );

    pub(crate) const BUTTON: Text = text("Put it back");
}

pub(crate) mod not_me {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("This wasn't you?");
    pub(crate) const EFFECT: Text =
        text("We sign out every device and send you an email with a link to reset the password.");
    pub(crate) const BUTTON: Text = text("Sign out every device");
    pub(crate) const SIGNED_IN_TITLE: Text = text("Secure your account");
    pub(crate) const SIGNED_IN_EFFECT: Text = text(
        "We sign out every other device. Then you choose a new password, so that nobody else can sign in.",
    );
    pub(crate) const SIGNED_IN_BUTTON: Text = text("Sign out every other device");
    pub(crate) const DONE_TITLE: Text = text("Every device is signed out");
    pub(crate) const DONE: Text = text(
        "Now choose a new password: we have sent you an email with a link for that. No email? Check your spam folder.",
    );
    pub(crate) const SEND_AGAIN: Text = text("Ask for another link");
    pub(crate) const MAILBOX: Text =
        text("If somebody else can open your mailbox, change its password first.");
}

pub(crate) mod sessions {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Devices");
    pub(crate) const INTRODUCTION: Text = text("These devices are signed in to your account.");
    pub(crate) const THIS_DEVICE: Text = text("This device");
    pub(crate) const IP: Text = text("IP address");
    pub(crate) const SIGNED_IN: Text = text("Signed in");
    pub(crate) const LAST_SEEN: Text = text("Last seen");
    pub(crate) const SIGN_OUT: &str = "Sign out";

    /// What a button ends, for those who do not see what it stands beside.
    pub(crate) fn of(device: &str, signed_in: &str) -> String {
        format!("of {device}, signed in {signed_in}")
    }

    pub(crate) const END_OTHERS: Text = text("Sign out every other device");
    pub(crate) const NO_OTHERS: Text = text("You are not signed in anywhere else.");
    pub(crate) const NO_SUCH: &str = "This device is signed out already";
    pub(crate) const NO_SUCH_TITLE: &str = "Nothing to sign out";
}

pub(crate) mod activity {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Activity");
    pub(crate) const INTRODUCTION: Text =
        text("What happened to your account. Is there something that wasn't you?");
    pub(crate) const NOT_ME: Text = text("Secure your account");
    pub(crate) const NOTHING: Text = text("Nothing was recorded.");
    pub(crate) const OLDER: Text = text("Older");
    pub(crate) const NEWEST: Text = text("Newest");
    pub(crate) const OPERATOR: Text = text("By the operator of this site");
}

/// An event, for the owner of the account.
pub(crate) fn event(event: Event) -> Cow<'static, str> {
    match event {
        Event::SignUpAsked => "Somebody signed up",
        Event::SignedUp => "You signed up",
        Event::Invited => "Somebody was invited",
        Event::InvitationRevoked => "An invitation was taken back",
        Event::SignedIn => "Signed in",
        Event::SignInFailed => "Somebody entered a wrong password",
        Event::SignedOut => "Signed out",
        Event::PasswordResetAsked => "A link to reset the password was requested",
        Event::PasswordReset => "The password was reset",
        Event::PasswordChanged => "The password was changed",
        Event::EmailVerified => "The email address was confirmed",
        Event::Renamed => "The name was changed",
        Event::Created => "The account was created",
        Event::Disabled => "The account was disabled",
        Event::Enabled => "The account was enabled",
        Event::Deleted => "The account was erased",
        Event::SessionsEnded => "Every other device was signed out",
        Event::SessionEnded => "A device was signed out",
        Event::MadeAdmin => "You became an administrator",
        Event::UnmadeAdmin => "You are no longer an administrator",
        Event::EmailChangeAsked => "Another email address was requested",
        Event::EmailChanged => "The email address was changed",
        Event::EmailUndone => "The earlier email address was put back",
        Event::DeletionAsked => "The account was deleted",
        Event::Restored => "The account was restored",
        Event::NotMe => "Every device was signed out with \"This wasn't me\"",
    }
    .into()
}

pub(crate) mod your_data {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Your data");
    pub(crate) const EXPORT: Text = text("Download your data");
    pub(crate) const EXPORT_HELP: Text = text(
        "Everything that is stored about your account, in one file (JSON). Passwords and other secrets are not in it.",
    );
    pub(crate) const EXPORT_BUTTON: Text = text("Download");
    pub(crate) const DELETE: Text = text("Delete your account");
    pub(crate) const DELETE_HELP: Text =
        text("The next page says what happens then, and asks for your password.");
    pub(crate) const DELETE_BUTTON: Text = text("Delete your account");
}

pub(crate) mod account_deletion {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Delete your account");

    /// `grace`: how long it can be restored, in words.
    pub(crate) fn effect(grace: Option<&str>) -> String {
        match grace {
            Some(grace) => format!(
                "You are signed out everywhere at once, and nobody can sign in to the account any more. We send you \
                 an email with a link that restores it for {grace}. After that, everything stored about it is \
                 erased for good."
            ),
            None => "You are signed out everywhere, and everything stored about your account is erased at once and \
                 for good."
                .into(),
        }
    }

    pub(crate) const BUTTON: Text = text("Delete my account");
    pub(crate) const KEEP: Text = text("Keep my account");
    pub(crate) const DONE_TITLE: Text = text("Your account is deleted");

    pub(crate) fn done(until: Option<&str>, is_mailed: bool) -> String {
        match until {
            Some(until) if !is_mailed => format!(
                "If you change your mind, contact whoever runs the site: they can restore the account until {until}. \
                 No email was sent, since too many emails were asked for from your network. Then everything stored \
                 about the account is erased."
            ),
            Some(until) => format!(
                "If you change your mind, open the link in the email that we have sent you. It restores the account \
                 until {until}. Then everything stored about it is erased."
            ),
            None => "Everything that was stored about it is erased.".into(),
        }
    }

    pub(crate) const IN_USE_TITLE: &str = "This account cannot be deleted";
    pub(crate) const IN_USE: &str =
        "Something on this site still belongs to it. Please contact support.";
}

pub(crate) mod account_restore {
    use super::{Text, text};

    pub(crate) const TITLE: Text = text("Restore your account");
    pub(crate) const EFFECT: Text =
        text("Your account becomes what it was before it was deleted, and you can sign in again.");
    pub(crate) const BUTTON: Text = text("Restore my account");
}
