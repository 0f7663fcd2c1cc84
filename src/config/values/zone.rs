//! The time zone of the people who use the site.

use std::fmt;

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};

use super::parsed;
use crate::clock::Timestamp;
use crate::config::Must;

/// A zone of the IANA database, such as `Europe/Berlin`: that of this machine, or the one compiled in.
#[derive(Clone)]
pub struct Zone(TimeZone);

impl Zone {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// Coordinated universal time.
    pub(in crate::config) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// What clocks there show.
    pub(crate) fn at(&self, at: Timestamp) -> ZonedDateTime {
        let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
        at.to_zoned_datetime(self.0.clone())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::Zone, Self::parse)
    }
}
