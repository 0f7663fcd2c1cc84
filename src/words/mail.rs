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

pub(crate) fn account_created_subject(site: &str) -> String {
    format!("Your account at {site}")
}

/// The device on which something was done: `Firefox on Linux`.
pub(crate) fn device(device: Device) -> String {
    match (device.browser.map(browser), device.system.map(system)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(only), None) | (None, Some(only)) => only.into(),
        (None, None) => "an unknown device".into(),
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
        System::IPhone => "an iPhone",
        System::IPad => "an iPad",
        System::Windows => "Windows",
        System::Mac => "a Mac",
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

pub(crate) mod password_changed {
    pub(crate) const REASON: &str =
        "The password of your account was changed, and all other devices were signed out.";

    pub(crate) fn when(time: &str) -> String {
        format!("When: {time}")
    }

    pub(crate) fn from(device: &str, ip: &str) -> String {
        format!("From: {device}, IP address {ip}")
    }

    pub(crate) const WAS_YOU: &str = "If this was you, you don't need to do anything.";
    pub(crate) const NOT_YOU: &str = "If this was not you, somebody else knows your password or can read your \
         email. First change the password of your email account, then reset the password of this account.";
    pub(crate) const BUTTON: &str = "Reset your password";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_in_words() {
        let say = |browser, system| device(Device { browser, system });
        assert_eq!(say(Some(Browser::Firefox), Some(System::Linux)), "Firefox on Linux");
        assert_eq!(say(Some(Browser::Safari), Some(System::IPhone)), "Safari on an iPhone");
        assert_eq!(say(None, Some(System::Mac)), "a Mac");
        assert_eq!(say(None, None), "an unknown device");
    }
}
