//! `password.*`

use serde::Deserialize;

use super::ConfigError;
use super::range::number;

/// The password policy, and the cost of hashes.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PasswordConfig {
    /// The minimum length of a new password. Default 8.
    pub min_length: usize,
    /// The minimum zxcvbn score of a new password, 0 (anything) to 4. Default 3.
    pub min_strength: u8,
    /// The bcrypt cost of new hashes, 4 to 20; each step doubles the work. Default 12.
    pub cost: u32,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self { min_length: 8, min_strength: 3, cost: 12 }
    }
}

impl PasswordConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        // ASVS 6.2.8
        number("password.min_length", self.min_length, 1..=64)?;
        number("password.min_strength", self.min_strength, 0..=4)?;
        // A hash of cost 20 takes a minute, of cost 31 more than a day.
        number("password.cost", self.cost, 4..=20)
    }

    /// The minimum length of a password that can meet both limits: zxcvbn counts ten guesses for each character
    /// without a pattern, and its scores begin above 10^3, 10^6, 10^8 and 10^10 guesses.
    pub(crate) fn fewest_characters(&self) -> usize {
        let strong = match self.min_strength {
            0 => 1,
            1 => 4,
            2 => 7,
            3 => 9,
            _ => 11,
        };
        self.min_length.max(strong)
    }
}
