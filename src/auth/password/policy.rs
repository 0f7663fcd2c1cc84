//! The policy for new passwords.

use std::panic::catch_unwind;

use zeroize::Zeroizing;
use zxcvbn::feedback::{Feedback, Suggestion, Warning};

use super::Password;
use super::hasher::HashSlot;
use crate::auth::{Auth, Email, Name, Refused};
use crate::config::PasswordConfig;

/// A password that meets the policy. Only [`Auth`] makes one. Signing in takes any [`Password`], so that a stricter
/// policy locks nobody out.
pub struct NewPassword(pub(in crate::auth) Password);

/// Why a password may not be set.
#[derive(Debug, Clone, PartialEq)]
pub enum WeakPassword {
    /// Too few characters.
    TooShort {
        /// The minimum number of characters.
        min: usize,
    },
    /// Too easy to guess (zxcvbn), with its advice.
    Guessable {
        /// The problem, if zxcvbn knows it.
        warning: Option<Warning>,
        /// How to improve it.
        suggestions: Vec<Suggestion>,
        /// The minimum number of characters, if it has fewer.
        min: Option<usize>,
    },
}

impl Auth {
    /// Checks whether `password` may be set for this address and name; see [`WeakPassword`].
    pub(in crate::auth) async fn check_new_password(
        &self,
        password: Password,
        email: Option<&Email>,
        name: Option<&Name>,
        slot: &mut HashSlot,
    ) -> Result<NewPassword, Refused<WeakPassword>> {
        let email = email.map(Email::as_str);
        let local = email.and_then(|email| email.split('@').next());
        let site = Some(self.config.site_name.as_str());
        let texts = [email, local, site, name.map(Name::as_str)];
        let texts = texts.into_iter().flatten();
        let parts = texts.clone().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        let parts = parts.filter(|part| part.chars().count() >= 3).take(20);
        let context = texts.chain(parts).map(str::to_owned).collect();
        self.hasher.check(password, context, slot).await
    }
}

impl Password {
    /// Checks the policy (ASVS 6.2.1, 6.2.4). Takes up to some milliseconds, so it runs on a hash worker. `context`
    /// are words that an attacker would try first: the user's address and name, and the name of the site.
    pub(in crate::auth) fn meets(
        self,
        policy: &PasswordConfig,
        context: &[String],
    ) -> Result<NewPassword, WeakPassword> {
        let min = policy.fewest_characters();
        let length = self.text.chars().count();
        if length < policy.min_length {
            return Err(WeakPassword::TooShort { min });
        }
        let words: Vec<&str> = context.iter().map(String::as_str).collect();
        // zxcvbn's time grows with the square of the length, and a password that is hard to guess up to this length
        // stays so.
        let mut guesses_log10 = 0.0;
        let mut guess = None;
        for piece in pieces(&self.text, 40) {
            // In a debug build of a host app it counts guesses beyond its largest number, and panics: more than
            // enough of them.
            let Ok(found) = catch_unwind(|| zxcvbn::zxcvbn(&piece, &words)) else {
                return Ok(NewPassword(self));
            };
            guesses_log10 += found.guesses_log10();
            guess = guess.or(Some(found));
        }
        let Some(guess) = guess else { return Err(WeakPassword::TooShort { min }) };
        if score(guesses_log10) >= policy.min_strength {
            return Ok(NewPassword(self));
        }
        let feedback = guess.feedback();
        Err(WeakPassword::Guessable {
            warning: feedback.and_then(Feedback::warning),
            suggestions: feedback.map_or_else(Vec::new, |advice| advice.suggestions().to_vec()),
            min: (length < min).then_some(min),
        })
    }
}

/// zxcvbn's score for this number of guesses.
fn score(guesses_log10: f64) -> u8 {
    // Slightly above a power of ten, as in zxcvbn.
    let steps = [1e3_f64, 1e6, 1e8, 1e10].map(|guesses| (guesses + 5.0).log10());
    steps.iter().map(|step| u8::from(guesses_log10 >= *step)).sum()
}

/// The characters that zxcvbn accepts in place of a letter.
const LEET: [&str; 12] = ["4@", "8", "({[<", "3", "69", "1!|", "1|7", "0", "$5", "+7", "%", "2"];

/// The maximum number of ways to read the substitutions of one piece as letters. zxcvbn tries all of them: a
/// password of twenty such characters would take a hundred times as long. All digits together have four readings.
const MOST_READINGS: usize = 32;

/// The number of ways to read these characters as letters.
fn readings(leet: &[char]) -> usize {
    let of = |letter: &&str| letter.chars().filter(|c| leet.contains(c)).count().max(1);
    LEET.iter().map(of).product()
}

/// The first `most` characters, split so that no piece has too many readings. Few passwords need a split: those
/// that people choose are checked in one piece.
fn pieces(password: &str, most: usize) -> Vec<Zeroizing<String>> {
    let mut pieces = vec![Zeroizing::new(String::with_capacity(4 * most))];
    let mut leet: Vec<char> = Vec::new();
    for c in password.chars().take(most) {
        if !leet.contains(&c) && LEET.iter().any(|letter| letter.contains(c)) {
            leet.push(c);
            if readings(&leet) > MOST_READINGS {
                leet = vec![c];
                pieces.push(Zeroizing::new(String::with_capacity(4 * most)));
            }
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promises 1 and 5: a password of the length that the page asks for is accepted.
    #[test]
    fn what_the_page_asks_for_is_enough() {
        let mut policy = PasswordConfig::default();
        let random = "J6-dk9FqXv3?kQ9w";
        for (strength, fewest) in [(0, 1), (1, 4), (2, 7), (3, 9), (4, 11)] {
            (policy.min_length, policy.min_strength) = (1, strength);
            assert_eq!(policy.fewest_characters(), fewest);
            let meets = |n: usize| random[..n].parse::<Password>().unwrap().meets(&policy, &[]);
            assert!(meets(fewest).is_ok(), "{strength}");
            if fewest > 1 {
                let asked = match meets(fewest - 1).err().unwrap() {
                    WeakPassword::TooShort { min } => Some(min),
                    WeakPassword::Guessable { min, .. } => min,
                };
                assert_eq!(asked, Some(fewest));
            }
        }
    }

    /// Promise 5: a password in pieces is judged like a whole one.
    #[test]
    fn many_signs_make_no_weak_password_strong() {
        let policy = PasswordConfig::default();
        let meets = |text: &str| text.parse::<Password>().unwrap().meets(&policy, &[]).is_ok();
        for weak in [
            "1234567890",
            "12345678901234567890",
            "0987654321",
            "123456789012",
            "123456789012345678901234567890",
            "147258369147258369",
            "748159263",
            "q1w2e3r4t5y6u7i8o9p0",
        ] {
            assert!(!meets(weak), "{weak}");
        }
        for strong in ["4@8({[<369!1|7$5+0%2", "kf8({2<36p!1|7$q+0%2"] {
            assert!(meets(strong), "{strong}");
        }
        for text in ["seven purple lanterns", "p4$$w0rd", "Tr0ub4dor&3"] {
            assert_eq!(pieces(text, 40).len(), 1);
            let whole = zxcvbn::zxcvbn(text, &[]);
            assert_eq!(score(whole.guesses_log10()), u8::from(whole.score()), "{text}");
        }
        assert_eq!(**pieces("4@8({[<369017!", 40)[0], *"4@8({[<369017");
    }

    /// Promises 5 and 68: strangers choose the input of zxcvbn. Counts its allocations.
    #[test]
    fn no_password_costs_the_estimate_much_more_than_another() {
        let policy = PasswordConfig::default();
        let context: Vec<String> =
            ["ada.lovelace@example.com", "ada", "lovelace"].map(Into::into).into();
        let cost = |text: &str| {
            let password: Password = text.parse().unwrap();
            let counted = allocation_counter::measure(|| drop(password.meets(&policy, &context)));
            counted.count_total
        };
        // Initialises what is allocated only once.
        cost("seven purple lanterns");
        let usual = cost("seven purple lanterns and seven more of it");
        for worst in [
            "4@8({[<369!1|7$5+0%2".repeat(10),
            "!|17$5+(@4{[<0%29683".chars().cycle().take(256).collect(),
            "6!|1+(7{{(|{(!6|1+!(||6+(6+{!7{11{{+!+||".to_owned(),
            "1!|7".repeat(60),
            "aA4@".repeat(60),
            "1".repeat(256),
            "abcdefgh".repeat(30),
            "password1".repeat(28),
            "20012002200320042005".repeat(10),
            "qwertyuiop[]".repeat(20),
            "\u{1f600}".repeat(256),
            "e\u{301}".repeat(256),
        ] {
            let worst_cost = cost(&worst);
            assert!(worst_cost < 5 * usual, "{worst}: {worst_cost} of {usual}");
        }
    }
}
