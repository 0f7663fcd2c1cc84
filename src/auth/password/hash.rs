//! Stored password hashes.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcrypt::BASE_64 as BCRYPT_BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Password, Spelling};
use crate::Error;

/// The largest cost of a stored hash that is verified: cost 16 takes four seconds of a core, and an import must not
/// let strangers cause more work than that.
pub(in crate::auth) const MAX_COST: u32 = 16;

/// The input of one bcrypt for the hash workers.
pub(in crate::auth) struct Bcrypt {
    pub(in crate::auth) cost: u32,
    pub(in crate::auth) salt: [u8; 16],
    /// At most 72 bytes, ending with NUL if there is room.
    pub(in crate::auth) key: Zeroizing<Vec<u8>>,
}

/// A stored password hash.
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
    /// A plain `$2a$`, `$2b$` or `$2y$` hash from another system: ignores bytes after the 72nd. Only verified,
    /// never written.
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

    /// The hash to store, from the worker's output for [`begin`](Self::begin).
    pub(in crate::auth) fn finish(cost: u32, salt: [u8; 16], output: [u8; 24]) -> Self {
        Self { scheme: Scheme::Sha256, cost, salt, digest: cut(output) }
    }

    /// The bcrypts to try for `password`, one for each of its spellings.
    pub(in crate::auth) fn attempts(
        &self,
        password: &Password,
    ) -> impl Iterator<Item = (Spelling, Bcrypt)> {
        password.spellings().map(|(spelling, text)| {
            let key = self.scheme.key(text, &self.salt);
            (spelling, Bcrypt { cost: self.cost, salt: self.salt, key })
        })
    }

    /// Compares the output of one of [`attempts`](Self::attempts) with this hash, in constant time.
    pub(in crate::auth) fn is(&self, output: [u8; 24]) -> bool {
        self.digest.ct_eq(&cut(output)).into()
    }

    /// A hash that matches no password and costs as much to verify as any other: for accounts that do not exist.
    pub(in crate::auth) fn dummy(cost: u32) -> Self {
        Self { scheme: Scheme::Sha256, cost, salt: [0x5a; 16], digest: [0; 23] }
    }

    /// Whether it should be replaced at the next sign-in: imported, or of lower cost.
    pub(in crate::auth) fn is_outdated(&self, cost: u32) -> bool {
        self.scheme != Scheme::Sha256 || self.cost < cost
    }

    /// The cost of a stored hash, from its beginning.
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
            // A NUL ends a C string: other systems ignored everything after it.
            Self::Plain => key.extend(bytes.iter().take(72).take_while(|b| **b != 0)),
        }
        if key.len() < 72 {
            key.push(0);
        }
        key
    }
}

/// bcrypt computes 24 bytes, but its text form has only 23.
fn cut(output: [u8; 24]) -> [u8; 23] {
    let mut digest = [0; 23];
    digest.copy_from_slice(&output[..23]);
    digest
}

/// The text form, as stored in the database.
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

/// The error for stored text that is not a supported hash.
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
        // Other systems may have left line endings.
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

/// Decodes bcrypt's base64. Ignores unused bits at the end, which some libraries set at random.
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
            .any(|(_, Bcrypt { cost, salt, key })| hash.is(bcrypt::bcrypt(cost, salt, &key)))
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

    /// Promise 4.
    #[test]
    fn two_spellings_of_a_letter_are_one_password() {
        let (nfc, nfd) = ("Gr\u{fc}\u{df}e aus K\u{f6}ln", "Gru\u{308}\u{df}e aus Ko\u{308}ln");
        let password: Password = nfd.parse().unwrap();
        assert_eq!(password.as_str(), nfc);
        // A hash of the text as typed, from before passwords were normalised.
        let hash = bcrypt::hash(nfd, 4).unwrap();
        assert!(opens(nfd, &hash) && !opens(nfc, &hash));
        assert!(opens(nfd, &bcrypt::hash(nfc, 4).unwrap()));
        assert!("e\u{301}".repeat(256).parse::<Password>().is_ok());
        assert!("e\u{301}".repeat(257).parse::<Password>().is_err());
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
