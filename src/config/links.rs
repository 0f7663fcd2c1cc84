//! `links.*`

use serde::Deserialize;

use super::Link;

/// The links at the foot of every page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinksConfig {
    /// The privacy policy.
    pub privacy: Option<Link>,
    /// The terms of use.
    pub terms: Option<Link>,
    /// Who runs the site: the law of several countries asks for it.
    pub imprint: Option<Link>,
    /// Where people get help: a page, or `mailto:` and an address.
    pub support: Option<Link>,
}

impl LinksConfig {
    /// Whether there is any link.
    pub(crate) fn any(&self) -> bool {
        [&self.privacy, &self.terms, &self.imprint, &self.support].into_iter().any(Option::is_some)
    }
}
