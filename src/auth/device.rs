//! The browser and system named in a user agent.

use std::fmt;

use super::Client;

/// The browser and the operating system, if the user agent names known ones. A guess for people to read, never a
/// reason to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) browser: Option<Browser>,
    pub(crate) system: Option<System>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Browser {
    Edge,
    Opera,
    Firefox,
    Chrome,
    Safari,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Android,
    IPhone,
    IPad,
    Windows,
    Mac,
    ChromeOs,
    Linux,
}

/// A part of the user agent, its browser, and the name in the outbox. Order matters: Edge and Opera claim to be
/// Chrome, and Chrome claims to be Safari.
const BROWSERS: [(&str, Browser, &str); 7] = [
    ("Edg", Browser::Edge, "edge"),
    ("OPR/", Browser::Opera, "opera"),
    ("Firefox/", Browser::Firefox, "firefox"),
    ("FxiOS/", Browser::Firefox, "firefox"),
    ("Chrome/", Browser::Chrome, "chrome"),
    ("CriOS/", Browser::Chrome, "chrome"),
    ("Safari/", Browser::Safari, "safari"),
];

/// The same for systems. Order matters: Android is a Linux.
const SYSTEMS: [(&str, System, &str); 7] = [
    ("Android", System::Android, "android"),
    ("iPhone", System::IPhone, "iphone"),
    ("iPad", System::IPad, "ipad"),
    ("Windows", System::Windows, "windows"),
    ("Mac OS X", System::Mac, "mac"),
    ("CrOS", System::ChromeOs, "chromeos"),
    ("Linux", System::Linux, "linux"),
];

/// The name of an unknown browser or system in the outbox.
const UNKNOWN: &str = "unknown";

impl Device {
    /// The device of a client.
    pub(in crate::auth) fn of(client: &Client) -> Self {
        Self::of_user_agent(&client.user_agent)
    }

    /// The device that a `User-Agent` header names.
    pub(crate) fn of_user_agent(agent: &str) -> Self {
        let browser = BROWSERS.iter().find(|(mark, ..)| agent.contains(mark));
        let system = SYSTEMS.iter().find(|(mark, ..)| agent.contains(mark));
        Self { browser: browser.map(|known| known.1), system: system.map(|known| known.1) }
    }

    /// Parses the value in the outbox; `None` if version 0.1 stored words there.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (browser, system) = text.split_once('/')?;
        Some(Self { browser: find(&BROWSERS, browser), system: find(&SYSTEMS, system) })
    }
}

/// The value in the outbox: `firefox/linux`.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", name(&BROWSERS, self.browser), name(&SYSTEMS, self.system))
    }
}

fn name<T: PartialEq>(all: &[(&str, T, &'static str)], one: Option<T>) -> &'static str {
    all.iter().find(|known| Some(&known.1) == one.as_ref()).map_or(UNKNOWN, |known| known.2)
}

fn find<T: Copy>(all: &[(&str, T, &str)], name: &str) -> Option<T> {
    all.iter().find(|known| known.2 == name).map(|known| known.1)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn device(agent: &str) -> Device {
        Device::of(&Client::new(IpAddr::from([127, 0, 0, 1]), agent))
    }

    #[test]
    fn a_user_agent_tells_the_device() {
        for (agent, browser, system) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                Some(Browser::Firefox),
                Some(System::Linux),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
                Some(Browser::Safari),
                Some(System::IPhone),
            ),
            ("curl/8.0", None, None),
        ] {
            assert_eq!(device(agent), Device { browser, system }, "{agent}");
        }
    }

    #[test]
    fn the_outbox_gives_back_every_device() {
        let (browsers, systems) = (BROWSERS.map(|known| known.0), SYSTEMS.map(|known| known.0));
        for agent in [browsers, systems].concat().into_iter().chain([""]) {
            let device = device(agent);
            assert_eq!(Device::parse(&device.to_string()), Some(device), "{agent}");
        }
        assert_eq!(device("Firefox/140.0 (Linux)").to_string(), "firefox/linux");
        let linux = Device { browser: None, system: Some(System::Linux) };
        assert_eq!(Device::parse("lynx/linux"), Some(linux), "of a later version");
        for words in ["Firefox on Linux", "Unknown device"] {
            assert_eq!(Device::parse(words), None, "{words}");
        }
    }
}
