//! The messages: their subjects and text, the same in plain text and in HTML.

use crate::auth::{Browser, Device, System};

pub(crate) fn verify_email_subject(site: &str) -> String {
    format!("Confirm your email address for {site}")
}

pub(crate) fn password_reset_subject(site: &str) -> String {
    format!("Reset your {site} password")
}

pub(crate) fn password_changed_subject(site: &str) -> String {
    format!("Your {site} password was changed")
}

pub(crate) fn invitation_subject(site: &str) -> String {
    format!("Your invitation to {site}")
}

pub(crate) fn account_created_subject(site: &str) -> String {
    format!("Your account at {site}")
}

pub(crate) fn email_change_subject(site: &str) -> String {
    format!("Confirm your new email address for {site}")
}

pub(crate) fn email_in_use_subject(site: &str) -> String {
    format!("You already have an account at {site}")
}

pub(crate) fn email_changed_subject(site: &str) -> String {
    format!("Your {site} email address was changed")
}

pub(crate) fn new_device_subject(site: &str) -> String {
    format!("New sign-in to {site}")
}

pub(crate) fn account_deletion_subject(site: &str) -> String {
    format!("Your {site} account was deleted")
}

pub(crate) fn account_erased_subject(site: &str) -> String {
    format!("Your {site} account was erased")
}

/// The device on which something was done: `Firefox on Linux`.
pub(crate) fn device(device: Device) -> String {
    match (device.browser.map(browser), device.system.map(system)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(only), None) | (None, Some(only)) => only.into(),
        (None, None) => "Unknown device".into(),
    }
}

fn browser(browser: Browser) -> &'static str {
    match browser {
        Browser::Edge => "Edge",
        Browser::Opera => "Opera",
        Browser::Firefox => "Firefox",
        Browser::Chrome => "Chrome",
        Browser::Safari => "Safari",
    }
}

fn system(system: System) -> &'static str {
    match system {
        System::Android => "Android",
        System::IPhone => "iPhone",
        System::IPad => "iPad",
        System::Windows => "Windows",
        System::Mac => "Mac",
        System::ChromeOs => "ChromeOS",
        System::Linux => "Linux",
    }
}

/// The footer of every message.
pub(crate) fn sent_by(site: &str, origin: &str, address: &str) -> String {
    format!("Sent by {site} ({origin}) to {address}.")
}

/// Before the link as text, for programs that show no button.
pub(crate) const BUTTON_DOES_NOT_WORK: &str =
    "If the button does not work, copy this link into your browser:";

pub(crate) mod verify_email {
    pub(crate) const REASON: &str = "Confirm that this email address is yours. We need it to help you \
         if you forget your password.";
    pub(crate) const BUTTON: &str = "Confirm email address";
    pub(crate) const LIFETIME: &str = "You can use the link once, within 24 hours.";
    pub(crate) const NOT_YOU: &str = "If you did not sign up, somebody may have entered your email address by \
         mistake. You don't need to do anything.";
}

pub(crate) mod sign_up {
    pub(crate) fn reason(site: &str) -> String {
        format!(
            "To finish signing up at {site}, confirm that this email address is yours. You will need the password \
             that you chose."
        )
    }

    pub(crate) const BUTTON: &str = "Confirm email address";
    pub(crate) const LIFETIME: &str = "You can use the link once, within 24 hours.";
    pub(crate) const NOT_YOU: &str = "If you did not sign up, somebody may have entered your email address by \
         mistake. You don't need to do anything: without this link there will be no account.";
}

pub(crate) mod invitation {
    pub(crate) fn reason(site: &str) -> String {
        format!("You are invited to create an account at {site}.")
    }

    pub(crate) const BUTTON: &str = "Accept the invitation";
    pub(crate) const LIFETIME: &str =
        "The invitation is for this email address alone. You can use the link once, within 7 days.";
    pub(crate) const NOT_YOU: &str =
        "If you did not expect this email, you don't need to do anything.";
}

pub(crate) mod password_reset {
    pub(crate) const REASON: &str = "Somebody asked to reset the password of your account. If this was you, \
         choose a new password.";
    pub(crate) const BUTTON: &str = "Choose a new password";
    pub(crate) const LIFETIME: &str = "You can use the link once, within 1 hour.";
    pub(crate) const NOT_YOU: &str =
        "If this was not you, you don't need to do anything. Your password stays the same.";
}

pub(crate) mod account_created {
    pub(crate) fn reason(site: &str) -> String {
        format!("An account at {site} was created for you. To use it, choose a password.")
    }

    pub(crate) const BUTTON: &str = "Choose a password";
    pub(crate) const LIFETIME: &str = "You can use the link once, within 7 days. After that, \
         \"Forgot your password?\" on the sign-in page sends you another one.";
    pub(crate) const NOT_YOU: &str =
        "If you did not expect this email, you don't need to do anything.";
}

/// What every notice says.
pub(crate) mod notice {
    pub(crate) fn when(time: &str) -> String {
        format!("When: {time}")
    }

    pub(crate) fn from(device: &str, ip: &str) -> String {
        format!("From: {device}, IP address {ip}")
    }

    pub(crate) const WAS_YOU: &str = "If this was you, you don't need to do anything.";
    pub(crate) const NOT_YOU: &str = "If this wasn't you, use the button below: it signs out every device and sends \
         you a link to reset the password. You can use it once, within 3 days.";
    pub(crate) const BUTTON: &str = "This wasn't me";
}

pub(crate) mod password_changed {
    pub(crate) const REASON: &str =
        "The password of your account was changed, and all other devices were signed out.";
    pub(crate) const MAILBOX: &str = "Whoever did this knew your password, or can open your mailbox: if it \
         wasn't you, change the password of the mailbox too.";
}

pub(crate) mod new_device {
    pub(crate) const REASON: &str =
        "There was a sign-in to your account from a browser that has not been used with it before.";
}

pub(crate) mod email_change {
    pub(crate) fn reason(site: &str) -> String {
        format!("Confirm that you want to use this email address for your {site} account.")
    }

    pub(crate) const BUTTON: &str = "Confirm the new address";
    pub(crate) const LIFETIME: &str =
        "You can use the link once, within 1 hour. Until then nothing changes.";
    pub(crate) const NOT_YOU: &str = "If you didn't ask for this, somebody typed your address by mistake, and you \
         don't need to do anything.";
}

pub(crate) mod email_in_use {
    pub(crate) fn reason(site: &str) -> String {
        format!(
            "Somebody, perhaps you, wanted to use this email address for a {site} account. You already have \
             an account with it, so nothing was changed."
        )
    }

    pub(crate) const FORGOTTEN: &str = "If you don't know the password any more, \"Forgot your password?\" on the \
         sign-in page sends you a link to choose another one.";
    pub(crate) const NOT_YOU: &str = "If this wasn't you, you don't need to do anything.";
    pub(crate) const BUTTON: &str = "Sign in";
}

pub(crate) mod email_changed {
    pub(crate) const REASON: &str = "The email address of your account was changed.";
}

pub(crate) mod email_replaced {
    pub(crate) const REASON: &str =
        "The email address of your account was changed. The account no longer has this address.";
    pub(crate) const NOT_YOU: &str =
        "If this wasn't you, contact whoever runs the site: they can look into it.";
}

pub(crate) mod email_undo {
    pub(crate) fn reason(new: &str) -> String {
        format!("The email address of your account was changed to {new}.")
    }

    pub(crate) const NOT_YOU: &str = "If this wasn't you, use the button below: it puts this address back, signs out \
         every device, and lets you choose a new password. You can use it once, within 3 days.";
    pub(crate) const BUTTON: &str = "Put my address back";
}

pub(crate) mod account_deletion {
    pub(crate) fn reason(until: &str) -> String {
        format!(
            "Your account was deleted. You can restore it until {until}. Then everything stored about it is erased."
        )
    }

    pub(crate) const BUTTON: &str = "Restore my account";
    pub(crate) const NOT_YOU: &str = "If this wasn't you, restore the account, and then reset its password: somebody \
         else knows it.";
}

pub(crate) mod account_erased {
    pub(crate) const REASON: &str =
        "Your account was erased, with everything that was stored about it.";
    pub(crate) const GOODBYE: &str = "If you want to come back, you can sign up again at any time.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_in_words() {
        let say = |browser, system| device(Device { browser, system });
        assert_eq!(say(Some(Browser::Firefox), Some(System::Linux)), "Firefox on Linux");
        assert_eq!(say(Some(Browser::Safari), Some(System::IPhone)), "Safari on iPhone");
        assert_eq!(say(None, Some(System::Mac)), "Mac");
        assert_eq!(say(None, None), "Unknown device");
    }
}
