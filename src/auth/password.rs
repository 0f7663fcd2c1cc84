//! What people type as a password, and what is kept of it.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcrypt::BASE_64 as BCRYPT_BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::Error;
use crate::config::PasswordConfig;

/// A password as somebody typed it: an attempt to log in, or the raw material of a [`NewPassword`].
/// Every character counts, spaces at both ends too. Wiped from memory when dropped.
pub struct Password {
    /// In Unicode's Normalization Form C: keyboards write `é` as one character or as two, and it must be
    /// the same password (NIST SP 800-63B, 3.1.1.2).
    text: Zeroizing<String>,
    /// As it was typed, if that is something else: older hashes are of what was typed.
    typed: Option<Zeroizing<String>>,
}

impl Password {
    /// Most characters of a password; refused before any hashing, so that length costs us nothing.
    pub const MAX_CHARS: usize = 256;
    /// Most bytes of a password.
    pub const MAX_BYTES: usize = 1024;

    #[cfg(test)]
    fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it was typed in another normal form than the one that is hashed.
    pub(in crate::auth) fn was_typed_otherwise(&self) -> bool {
        self.typed.is_some()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Why a text can be nobody's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordError {
    /// Nothing was typed.
    Missing,
    /// Longer than [`Password::MAX_CHARS`] or [`Password::MAX_BYTES`].
    TooLong,
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "Enter a password.",
            Self::TooLong => "Use at most 256 characters.",
        })
    }
}

impl FromStr for Password {
    type Err = PasswordError;

    fn from_str(text: &str) -> Result<Self, PasswordError> {
        if text.is_empty() {
            return Err(PasswordError::Missing);
        }
        // In another normal form it may be three times as long.
        if text.len() > 3 * Self::MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        let mut normal = Zeroizing::new(String::with_capacity(3 * text.len()));
        normal.extend(text.nfc());
        if normal.len() > Self::MAX_BYTES || normal.chars().count() > Self::MAX_CHARS {
            return Err(PasswordError::TooLong);
        }
        let typed = (*normal != text).then(|| Zeroizing::new(text.to_owned()));
        Ok(Self { text: normal, typed })
    }
}

/// A password that meets the policy, and so may be set. Only [`Auth`](super::Auth) makes one; logging
/// in takes any [`Password`], so that a stricter policy locks nobody out.
pub struct NewPassword(pub(in crate::auth) Password);

/// Why a password may not be set; the message stands beside the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeakPassword {
    /// Fewer characters than any that would do.
    TooShort {
        /// The fewest there may be.
        min: usize,
    },
    /// Too easy to guess (zxcvbn), with its advice.
    Guessable {
        /// What is wrong with it and how to mend it, in whole sentences.
        advice: String,
    },
}

impl fmt::Display for WeakPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { min } => write!(f, "Make it longer: use at least {min} characters."),
            Self::Guessable { advice } => write!(f, "This password is too easy to guess. {advice}"),
        }
    }
}

impl Password {
    /// Whether this password may be set (ASVS 6.2.1, 6.2.4). Costs up to some milliseconds, so it
    /// runs on a hash worker. `context` are words that an attacker would try first: the person's
    /// address and name, the name of the site.
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
        // zxcvbn's work grows with the square of the length, and what is not easy to guess after so
        // many characters does not become so by more of them.
        let mut guesses_log10 = 0.0;
        let mut guess = None;
        for piece in pieces(&self.text, 40) {
            let found = zxcvbn::zxcvbn(&piece, &words);
            guesses_log10 += found.guesses_log10();
            guess = guess.or(Some(found));
        }
        let Some(guess) = guess else { return Err(WeakPassword::TooShort { min }) };
        if score(guesses_log10) >= policy.min_strength {
            return Ok(NewPassword(self));
        }
        let mut advice = String::new();
        if let Some(feedback) = guess.feedback() {
            let warning = feedback.warning().map(|warning| warning.to_string());
            let hints = feedback.suggestions().iter().map(ToString::to_string);
            advice = warning.into_iter().chain(hints).collect::<Vec<_>>().join(" ");
        }
        if length < min {
            advice = format!("{advice} Make it longer: use at least {min} characters.");
        } else if advice.is_empty() {
            advice = "Make it longer: add another word or two.".into();
        }
        Err(WeakPassword::Guessable { advice: advice.trim().to_owned() })
    }
}

/// zxcvbn's score for so many guesses.
fn score(guesses_log10: f64) -> u8 {
    // A hair above a power of ten, as zxcvbn has it.
    let steps = [1e3_f64, 1e6, 1e8, 1e10].map(|guesses| (guesses + 5.0).log10());
    steps.iter().map(|step| u8::from(guesses_log10 >= *step)).sum()
}

/// The characters that may stand for a letter, as zxcvbn has them.
const LEET: [&str; 12] = ["4@", "8", "({[<", "3", "69", "1!|", "1|7", "0", "$5", "+7", "%", "2"];

/// In how many ways at most those of one piece may be read as letters. zxcvbn tries them all: a password of twenty
/// such characters would cost it a hundred times as much as another. All digits together can be read in four.
const MOST_READINGS: usize = 32;

/// In how many ways these characters may be read as letters.
fn readings(leet: &[char]) -> usize {
    let of = |letter: &&str| letter.chars().filter(|c| leet.contains(c)).count().max(1);
    LEET.iter().map(of).product()
}

/// The first `most` characters, cut so that no piece may be read in too many ways. Few passwords have to be: those
/// that people choose are looked at in one piece.
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

/// Largest cost of a stored hash that is verified: a hash of cost 16 takes four seconds of a core, and an
/// import must not let strangers ask for more than that.
pub(in crate::auth) const MAX_COST: u32 = 16;

/// One bcrypt as the hash workers compute it: cost, salt, and the key that the password became.
pub(in crate::auth) struct Bcrypt {
    pub(in crate::auth) cost: u32,
    pub(in crate::auth) salt: [u8; 16],
    /// At most 72 bytes, the last of them NUL if there is room.
    pub(in crate::auth) key: Zeroizing<Vec<u8>>,
}

/// How many times the password of an account was set. A log-in that is under way and a device cookie are
/// worth nothing once it has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct PasswordVersion(i64);

impl fmt::Display for PasswordVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PasswordVersion {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// What is stored of a password.
#[derive(Clone)]
pub(in crate::auth) struct PasswordHash {
    scheme: Scheme,
    cost: u32,
    salt: [u8; 16],
    digest: [u8; 23],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// passlib's bcrypt-sha256 v2: bcrypt over base64(HMAC-SHA-256(key = the salt's text, password)),
    /// so that every byte of a long password counts. What we write.
    Sha256,
    /// A plain `$2a$`, `$2b$` or `$2y$` hash from another system: bytes past the 72nd are not looked
    /// at. Read only.
    Plain,
}

impl PasswordHash {
    /// The bcrypt that a new hash of `password` needs, with a fresh salt.
    pub(in crate::auth) fn begin(password: &Password, cost: u32) -> Result<Bcrypt, Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)
            .map_err(|e| Error::new("the system has no random numbers", e))?;
        Ok(Bcrypt { cost, salt, key: Scheme::Sha256.key(&password.text, &salt) })
    }

    /// The hash to store, from what the worker computed for [`begin`](Self::begin).
    pub(in crate::auth) fn finish(cost: u32, salt: [u8; 16], output: [u8; 24]) -> Self {
        Self { scheme: Scheme::Sha256, cost, salt, digest: cut(output) }
    }

    /// The bcrypts one of which shows whether `password` is the one: in its normal form, and as it was
    /// typed.
    pub(in crate::auth) fn attempts(&self, password: &Password) -> impl Iterator<Item = Bcrypt> {
        let texts = std::iter::once(&password.text).chain(&password.typed);
        texts.map(|text| Bcrypt {
            cost: self.cost,
            salt: self.salt,
            key: self.scheme.key(text, &self.salt),
        })
    }

    /// Whether the worker's answer to one of [`attempts`](Self::attempts) is this hash, in constant time.
    pub(in crate::auth) fn is(&self, output: [u8; 24]) -> bool {
        self.digest.ct_eq(&cut(output)).into()
    }

    /// A hash that no password has and whose check costs as much as any other: for accounts that do
    /// not exist.
    pub(in crate::auth) fn dummy(cost: u32) -> Self {
        Self { scheme: Scheme::Sha256, cost, salt: [0x5a; 16], digest: [0; 23] }
    }

    /// Whether it should be written anew at the next login: imported, or of lower cost.
    pub(in crate::auth) fn is_outdated(&self, cost: u32) -> bool {
        self.scheme != Scheme::Sha256 || self.cost < cost
    }

    /// The cost of a stored hash of which only the beginning is known.
    pub(in crate::auth) fn cost_of_prefix(prefix: &str) -> Option<u32> {
        let rest = prefix.strip_prefix("$bcrypt-sha256$v=2,t=2b,r=");
        let rest = rest.or_else(|| prefix.strip_prefix("$2")?.get(2..))?;
        rest.split('$').next()?.parse().ok()
    }

    pub(in crate::auth) fn cost(&self) -> u32 {
        self.cost
    }
}

impl Scheme {
    fn key(self, password: &str, salt: &[u8; 16]) -> Zeroizing<Vec<u8>> {
        let bytes = password.as_bytes();
        let mut key = Zeroizing::new(Vec::with_capacity(72));
        match self {
            Self::Sha256 => {
                let salt = BCRYPT_BASE64.encode(salt);
                let mut mac = Hmac::<Sha256>::new_from_slice(salt.as_bytes())
                    .expect("HMAC takes a key of any length");
                mac.update(bytes);
                let mac = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
                let mut text = Zeroizing::new([0; 44]);
                let _ = STANDARD.encode_slice(*mac, &mut *text);
                key.extend_from_slice(&*text);
            }
            // A NUL ends a C string: other systems never saw what came after it.
            Self::Plain => key.extend(bytes.iter().take(72).take_while(|b| **b != 0)),
        }
        if key.len() < 72 {
            key.push(0);
        }
        key
    }
}

/// bcrypt computes 24 bytes and its text form has always kept 23.
fn cut(output: [u8; 24]) -> [u8; 23] {
    let mut digest = [0; 23];
    digest.copy_from_slice(&output[..23]);
    digest
}

/// The text form, as the database holds it.
impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, digest) = (BCRYPT_BASE64.encode(self.salt), BCRYPT_BASE64.encode(self.digest));
        match self.scheme {
            Scheme::Sha256 => {
                write!(f, "$bcrypt-sha256$v=2,t=2b,r={}${salt}${digest}", self.cost)
            }
            Scheme::Plain => write!(f, "$2b${:02}${salt}{digest}", self.cost),
        }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// That a stored text is no hash that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) struct NotAHash;

impl fmt::Display for NotAHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stored password hash is of an unknown form")
    }
}

impl std::error::Error for NotAHash {}

impl FromStr for PasswordHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        // Files of other systems end their lines somehow.
        let text = text.trim();
        let (scheme, cost, salt, digest) =
            if let Some(rest) = text.strip_prefix("$bcrypt-sha256$v=2,t=2b,r=") {
                let mut parts = rest.split('$');
                let mut part = || parts.next().ok_or(NotAHash);
                let (cost, salt, digest) = (part()?, part()?, part()?);
                if parts.next().is_some() {
                    return Err(NotAHash);
                }
                (Scheme::Sha256, cost, salt, digest)
            } else {
                let rest = ["$2a$", "$2b$", "$2y$"]
                    .iter()
                    .find_map(|prefix| text.strip_prefix(prefix))
                    .ok_or(NotAHash)?;
                let (cost, rest) = rest.split_once('$').ok_or(NotAHash)?;
                let (salt, digest) = rest.split_at_checked(22).ok_or(NotAHash)?;
                (Scheme::Plain, cost, salt, digest)
            };
        if !cost.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotAHash);
        }
        let cost = cost.parse().ok().filter(|cost| (4..=31).contains(cost)).ok_or(NotAHash)?;
        Ok(Self { scheme, cost, salt: decode(salt)?, digest: decode(digest)? })
    }
}

/// Decodes bcrypt's base64. Unused bits at the end may be set: some libraries write random ones.
fn decode<const N: usize>(text: &str) -> Result<[u8; N], NotAHash> {
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::BCRYPT,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireNone),
    );
    LENIENT.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(NotAHash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opens(password: &str, hash: &str) -> bool {
        let hash: PasswordHash = hash.parse().unwrap();
        let password = password.parse().unwrap();
        hash.attempts(&password)
            .any(|Bcrypt { cost, salt, key }| hash.is(bcrypt::bcrypt(cost, salt, &key)))
    }

    /// Promise 6. The hashes were made with passlib 1.7.4; the last is from its documentation.
    #[test]
    fn hashes_are_those_of_passlib() {
        let salt = "$bcrypt-sha256$v=2,t=2b,r=4$n79VH.0Q2TMWmt3Oqt9uku$";
        for (password, digest) in [
            ("password", "sdU2s51xApBVBMVw4RZiJY.7FC1fevu"),
            (&"é😀".repeat(30), "3KHSHQcvl7Bv4zy4cioxgZa1VBrQEda"),
            (&"a".repeat(100), "edysY2NsQ0zuPqGuZaTDwWs6q08f5Qi"),
        ] {
            assert!(opens(password, &format!("{salt}{digest}")), "{password}");
            assert!(!opens("wrong", &format!("{salt}{digest}")), "{password}");
        }
        assert!(opens(
            "password",
            "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2"
        ));
    }

    /// Promise 6.
    #[test]
    fn a_plain_bcrypt_hash_of_another_system_opens_its_account() {
        // From the test vectors of jBCrypt.
        assert!(opens("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"));
        assert!(opens(
            "abcdefghijklmnopqrstuvwxyz",
            "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"
        ));
        for version in ["2b", "2y"] {
            assert!(opens(
                "a",
                &format!("${version}$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe")
            ));
        }
        let long = "a".repeat(72);
        let hash = bcrypt::hash(&long, 4).unwrap();
        assert!(
            opens(&long, &hash) && opens(&format!("{long}b"), &hash) && !opens(&long[1..], &hash)
        );
    }

    #[test]
    fn a_hash_keeps_its_text() {
        for text in [
            "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2",
            "$2b$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
        ] {
            assert_eq!(text.parse::<PasswordHash>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_cost_of_a_hash_is_read_from_its_beginning() {
        for (prefix, cost) in [
            ("$2b$14$", Some(14)),
            ("$2a$06$", Some(6)),
            ("$bcrypt-sha256$v=2,t=2b,r=13$", Some(13)),
            ("$bcrypt-sha256$v=2,t=2b,r=4$x", Some(4)),
            ("$argon2", None),
            ("", None),
            ("!", None),
            ("$2é", None),
        ] {
            assert_eq!(PasswordHash::cost_of_prefix(prefix), cost, "{prefix}");
        }
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for text in [
            "",
            "$",
            "$2b$",
            "$2b$12$",
            "$2x$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
            "$2b$32$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
            "$2b$+6$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
            "$2b$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfx",
            "$2b$06$éééééééééééééééééééééééééé",
            "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2$",
            "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA",
        ] {
            assert!(text.parse::<PasswordHash>().is_err(), "{text:?}");
        }
    }

    /// Promises 2, 3 and 4.
    #[test]
    fn any_characters_make_a_password_up_to_a_length() {
        for text in [" ", "é", &"😀".repeat(256), &"字".repeat(256), &"a".repeat(256), "a\0b"] {
            assert!(text.parse::<Password>().is_ok(), "{text}");
        }
        assert_eq!("".parse::<Password>().unwrap_err(), PasswordError::Missing);
        assert_eq!("a".repeat(257).parse::<Password>().unwrap_err(), PasswordError::TooLong);
        assert_eq!(" a ".parse::<Password>().unwrap().as_str(), " a ");
    }

    /// Promise 4.
    #[test]
    fn two_spellings_of_a_letter_are_one_password() {
        let (nfc, nfd) = ("Gr\u{fc}\u{df}e aus K\u{f6}ln", "Gru\u{308}\u{df}e aus Ko\u{308}ln");
        let password: Password = nfd.parse().unwrap();
        assert_eq!(password.as_str(), nfc);
        // A hash from before, of what was typed then.
        let hash = bcrypt::hash(nfd, 4).unwrap();
        assert!(opens(nfd, &hash) && !opens(nfc, &hash));
        assert!(opens(nfd, &bcrypt::hash(nfc, 4).unwrap()));
        assert!("e\u{301}".repeat(256).parse::<Password>().is_ok());
        assert!("e\u{301}".repeat(257).parse::<Password>().is_err());
    }

    /// Promises 1 and 5: whoever makes a password as long as the page asks for has one that is taken.
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
                let refused = meets(fewest - 1).err().unwrap().to_string();
                let advice = format!("Make it longer: use at least {fewest} characters.");
                assert!(refused.ends_with(&advice), "{refused}");
            }
        }
    }

    /// Promise 5: a password in pieces is judged like one in one piece.
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

    /// Promises 5 and 68: strangers choose what zxcvbn looks at. What it allocates is counted.
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
        // What is made once for all.
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

    proptest! {
        #[test]
        fn any_stored_text_is_survived(text in "\\PC{0,80}|\\$2[aby]\\$[0-9]{2}\\$[./A-Za-z0-9]{50,56}") {
            if let Ok(hash) = text.parse::<PasswordHash>() {
                let again: PasswordHash = hash.to_string().parse().unwrap();
                prop_assert_eq!(again.to_string(), hash.to_string());
            }
        }

        #[test]
        fn any_text_makes_a_key_of_at_most_72_bytes(text in "(?s).{1,300}", salt: [u8; 16]) {
            if let Ok(password) = text.parse::<Password>() {
                for scheme in [Scheme::Sha256, Scheme::Plain] {
                    let key = scheme.key(password.as_str(), &salt);
                    prop_assert!((1..=72).contains(&key.len()));
                }
            }
        }
    }
}
