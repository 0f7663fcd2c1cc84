//! Who asks: the address and the device that a request came from.

use std::net::IpAddr;

/// The other end of a request, as shown to the owner of an account.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The network address.
    pub(crate) address: IpAddr,
    /// What the browser says of itself; at most 256 characters, none of them control characters.
    pub(crate) user_agent: String,
}

impl Client {
    /// Cuts the user agent to what may be kept: it comes from strangers and is shown to others.
    pub(crate) fn new(address: IpAddr, user_agent: &str) -> Self {
        let user_agent = user_agent.chars().filter(|c| !c.is_control()).take(256).collect();
        Self { address: address.to_canonical(), user_agent }
    }

    /// The device in words: `Firefox on Linux`. A guess for people, never a reason to trust.
    pub(crate) fn device(&self) -> String {
        let find = |known: &[(&str, &'static str)]| {
            known.iter().find(|(mark, _)| self.user_agent.contains(mark)).map(|(_, name)| *name)
        };
        // Order matters: Edge and Opera call themselves Chrome too, Chrome calls itself Safari,
        // Android is a Linux.
        let browser = find(&[
            ("Edg", "Edge"),
            ("OPR/", "Opera"),
            ("Firefox/", "Firefox"),
            ("FxiOS/", "Firefox"),
            ("Chrome/", "Chrome"),
            ("CriOS/", "Chrome"),
            ("Safari/", "Safari"),
        ]);
        let system = find(&[
            ("Android", "Android"),
            ("iPhone", "an iPhone"),
            ("iPad", "an iPad"),
            ("Windows", "Windows"),
            ("Mac OS X", "a Mac"),
            ("CrOS", "ChromeOS"),
            ("Linux", "Linux"),
        ]);
        match (browser, system) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            (Some(only), None) | (None, Some(only)) => only.to_owned(),
            (None, None) => "an unknown device".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_in_words() {
        let device = |agent| Client::new(IpAddr::from([127, 0, 0, 1]), agent).device();
        assert_eq!(
            device("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on Linux"
        );
        assert_eq!(
            device(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"
            ),
            "Safari on an iPhone"
        );
        assert_eq!(device("curl/8.0"), "an unknown device");
    }

    /// Promise 38.
    #[test]
    fn a_user_agent_is_cut_and_cleaned() {
        let client =
            Client::new(IpAddr::from([127, 0, 0, 1]), &format!("a\u{1b}[31m\0{}", "é".repeat(300)));
        assert!(client.user_agent.starts_with("a[31mé"));
        assert_eq!(client.user_agent.chars().count(), 256);
    }
}
