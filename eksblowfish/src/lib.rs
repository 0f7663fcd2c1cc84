//! bcrypt, several at once in one thread.
//!
//! Blowfish is a cipher whose tables (the *state*: 18 words P and four boxes S of 256 words) are made
//! from its key. To encrypt 64 bits it takes them as two halves and, sixteen times, mixes one half
//! into the other by looking up four words in S: the place of each look-up is what the last one gave.
//! bcrypt (Provos and Mazières, "A Future-Adaptable Password Scheme", 1999) makes a password slow to
//! guess by making that state over and over: 2^cost times it mixes the password into P and replaces
//! every word of the state, one after the other, by encrypting with the state as it stands, and then
//! does the same with the salt ("eksblowfish", expensive key schedule).
//!
//! So one bcrypt is a chain of billions of look-ups, each of which waits some cycles for the one
//! before, and the processor has nothing else to do meanwhile. Independent hashes worked on in turns
//! fill those gaps: every step here is done for all [`Lane`]s before the next step. Four together take
//! little longer than one alone. A state is 4 KiB, so about eight fit into a first-level cache.
//!
//! What a hash is remains the business of the `bcrypt` crate: formats, salts and costs are its own,
//! tests hold this one against it, and so does the service at every start.

mod pi;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The state of one Blowfish.
#[derive(Zeroize)]
struct State {
    p: [u32; 18],
    s: [[u32; 256]; 4],
}

/// One hash on its way. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Lane {
    state: Box<State>,
    /// The key, repeated to as many words as P has.
    key: [u32; 18],
    /// The salt, likewise.
    salt: [u32; 18],
    /// How many times both are still to be mixed in.
    left: u64,
}

/// What bcrypt encrypts 64 times with the final state.
const TEXT: &[u8; 24] = b"OrpheanBeholderScryDoubt";

impl Lane {
    /// Begins a hash. `key`: 1 to 72 bytes, ending in NUL where there is room for it.
    pub fn new(cost: u32, salt: [u8; 16], key: &[u8]) -> Self {
        let mut lane = Self {
            state: Box::new(State { p: pi::P, s: pi::S }),
            key: repeated(key),
            salt: repeated(&salt),
            left: 1 << cost,
        };
        // The first time the salt goes in through the data as well, two words at a time.
        let (key, salt) = (lane.key, lane.salt);
        expand(&mut [&mut lane.state], [&key], [&salt]);
        lane
    }

    /// Whether nothing is left but [`finish`](Self::finish).
    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The hash, 24 bytes.
    pub fn finish(mut self) -> [u8; 24] {
        let mut output = [0; 24];
        for (text, out) in TEXT.chunks_exact(8).zip(output.chunks_exact_mut(8)) {
            let (mut l, mut r) = ([word(text, 0)], [word(text, 4)]);
            for _ in 0..64 {
                encrypt(&mut [&mut self.state], &mut l, &mut r);
            }
            out[..4].copy_from_slice(&l[0].to_be_bytes());
            out[4..].copy_from_slice(&r[0].to_be_bytes());
        }
        output
    }
}

/// Most lanes that [`advance`] takes.
pub const MOST_LANES: usize = 6;

/// Works on all lanes, side by side, for at most `turns` turns or until the first is done.
pub fn advance(lanes: &mut [Lane], turns: u64) {
    let left = lanes.iter().map(|lane| lane.left).min().unwrap_or(0);
    let turns = turns.min(left);
    match lanes.len() {
        0 => {}
        1 => advance_by::<1>(lanes, turns),
        2 => advance_by::<2>(lanes, turns),
        3 => advance_by::<3>(lanes, turns),
        4 => advance_by::<4>(lanes, turns),
        5 => advance_by::<5>(lanes, turns),
        _ => {
            let (these, others) = lanes.split_at_mut(MOST_LANES);
            advance_by::<MOST_LANES>(these, turns);
            advance(others, turns);
        }
    }
}

fn advance_by<const N: usize>(lanes: &mut [Lane], turns: u64) {
    let Ok(lanes) = <&mut [Lane; N]>::try_from(lanes) else { return };
    for lane in lanes.iter_mut() {
        lane.left -= turns;
    }
    let (mut keys, mut salts, mut n) = ([&NOTHING; N], [&NOTHING; N], 0);
    let mut states = lanes.each_mut().map(|lane| {
        (keys[n], salts[n]) = (&lane.key, &lane.salt);
        n += 1;
        &mut *lane.state
    });
    for _ in 0..turns {
        expand(&mut states, keys, [&NOTHING; N]);
        expand(&mut states, salts, [&NOTHING; N]);
    }
}

/// What is mixed into the data but for the first time.
const NOTHING: [u32; 18] = [0; 18];

/// Mixes a key into each P and then replaces every word of each state, two at a time, by encrypting
/// what the last encryption gave; `data` is mixed into that.
#[inline(always)]
fn expand<const N: usize>(
    states: &mut [&mut State; N],
    keys: [&[u32; 18]; N],
    data: [&[u32; 18]; N],
) {
    for n in 0..N {
        for (p, key) in states[n].p.iter_mut().zip(keys[n]) {
            *p ^= key;
        }
    }
    let (mut l, mut r) = ([0; N], [0; N]);
    // The data is a salt of four words; P takes eighteen, so S goes on with the third.
    let mut step = |states: &mut [&mut State; N], at: usize| {
        for n in 0..N {
            l[n] ^= data[n][at % 4];
            r[n] ^= data[n][at % 4 + 1];
        }
        encrypt(states, &mut l, &mut r);
        (l, r)
    };
    for i in (0..18).step_by(2) {
        let (l, r) = step(states, i);
        for n in 0..N {
            states[n].p[i] = l[n];
            states[n].p[i + 1] = r[n];
        }
    }
    for b in 0..4 {
        for i in (0..256).step_by(2) {
            let (l, r) = step(states, i + 2);
            for n in 0..N {
                states[n].s[b][i] = l[n];
                states[n].s[b][i + 1] = r[n];
            }
        }
    }
}

/// Encrypts one block, two halves, with each state: sixteen rounds, each for all lanes.
#[inline(always)]
fn encrypt<const N: usize>(states: &mut [&mut State; N], l: &mut [u32; N], r: &mut [u32; N]) {
    for i in (0..16).step_by(2) {
        for n in 0..N {
            l[n] ^= states[n].p[i];
            r[n] ^= mix(&states[n].s, l[n]);
        }
        for n in 0..N {
            r[n] ^= states[n].p[i + 1];
            l[n] ^= mix(&states[n].s, r[n]);
        }
    }
    for n in 0..N {
        (l[n], r[n]) = (r[n] ^ states[n].p[17], l[n] ^ states[n].p[16]);
    }
}

/// Blowfish's F: four look-ups, one for each byte.
#[inline(always)]
fn mix(s: &[[u32; 256]; 4], x: u32) -> u32 {
    let [a, b, c, d] = x.to_be_bytes().map(usize::from);
    (s[0][a].wrapping_add(s[1][b]) ^ s[2][c]).wrapping_add(s[3][d])
}

/// Eighteen words, big-endian, of the bytes over and over.
fn repeated(bytes: &[u8]) -> [u32; 18] {
    let mut cycle = bytes.iter().copied().cycle();
    let mut next = || cycle.next().unwrap_or(0);
    std::array::from_fn(|_| u32::from_be_bytes(std::array::from_fn(|_| next())))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the crate takes it: NUL at the end where there is room.
    fn ended(password: &[u8]) -> Vec<u8> {
        password.iter().copied().chain([0]).take(72).collect()
    }

    /// A generator of our own, so that every run has other inputs and a failure names them.
    struct Inputs(u64);

    impl Inputs {
        fn new() -> Self {
            let mut seed = [0; 8];
            getrandom::fill(&mut seed).unwrap();
            Self(u64::from_le_bytes(seed) | 1)
        }

        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn bytes(&mut self, length: usize) -> Vec<u8> {
            (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
        }

        /// Empty, short, with NUL inside, and around 72 bytes more often than not.
        fn key(&mut self) -> Vec<u8> {
            let length = match self.next() % 4 {
                0 => self.next() % 4,
                1 => 69 + self.next() % 6,
                _ => self.next() % 80,
            };
            let mut bytes = self.bytes(usize::try_from(length).unwrap());
            if self.next() % 4 == 0 && !bytes.is_empty() {
                let at = usize::try_from(self.next()).unwrap() % bytes.len();
                bytes[at] = 0;
            }
            ended(&bytes)
        }
    }

    /// Ten thousand hashes and more of random costs, salts and passwords, in batches of every size and
    /// in every place of them, joining and leaving while others are under way.
    #[test]
    fn every_hash_is_that_of_the_crate() {
        let mut inputs = Inputs::new();
        let hashes: u32 =
            std::env::var("HASHES").ok().and_then(|n| n.parse().ok()).unwrap_or(12_000);
        let (mut lanes, mut expected) = (Vec::new(), Vec::new());
        let mut begun = 0;
        while begun < hashes || !lanes.is_empty() {
            let most = usize::try_from(1 + inputs.next() % 6).unwrap();
            while lanes.len() < most && begun < hashes {
                let cost = if inputs.next() % 16 == 0 {
                    5 + u32::try_from(inputs.next() % 2).unwrap()
                } else {
                    4
                };
                let salt: [u8; 16] = inputs.bytes(16).try_into().unwrap();
                let key = inputs.key();
                lanes.push(Lane::new(cost, salt, &key));
                expected.push((cost, salt, key));
                begun += 1;
            }
            advance(&mut lanes, 1 + inputs.next() % 20);
            for n in (0..lanes.len()).rev().filter(|n| lanes[*n].is_done()).collect::<Vec<_>>() {
                let (cost, salt, key) = expected.swap_remove(n);
                let hash = lanes.swap_remove(n).finish();
                assert_eq!(hash, bcrypt::bcrypt(cost, salt, &key), "{cost} {salt:?} {key:?}");
            }
        }
    }

    #[test]
    fn more_lanes_than_fit_are_all_advanced() {
        let key = ended(b"password");
        let mut lanes: Vec<Lane> = (0..15).map(|n| Lane::new(4, [n; 16], &key)).collect();
        advance(&mut lanes, 1 << 4);
        for (n, lane) in (0..15).zip(lanes) {
            assert_eq!(lane.finish(), bcrypt::bcrypt(4, [n; 16], &key));
        }
    }

    /// Blowfish begins with the fraction of π, and nobody chose a word of it: Machin's formula, in
    /// fixed point.
    #[test]
    fn the_constants_are_pi() {
        const WORDS: usize = 18 + 4 * 256;
        // One word before the point, some behind for rounding; most significant first.
        type Number = [u32; WORDS + 5];
        fn divide(number: &mut Number, by: u32) {
            let mut rest = 0_u64;
            for word in number.iter_mut() {
                let part = rest << 32 | u64::from(*word);
                (*word, rest) =
                    (u32::try_from(part / u64::from(by)).unwrap(), part % u64::from(by));
            }
        }
        fn add(to: &mut Number, number: &Number, negative: bool) {
            let mut carry = i64::from(false);
            for (word, other) in to.iter_mut().zip(number).rev() {
                let other = i64::from(*other);
                let sum = i64::from(*word) + if negative { -other } else { other } + carry;
                *word = u32::try_from(sum.rem_euclid(1 << 32)).unwrap();
                carry = sum.div_euclid(1 << 32);
            }
        }
        // π = 16 arctan(1/5) - 4 arctan(1/239)
        let mut pi: Number = [0; WORDS + 5];
        for (factor, x, is_negative) in [(16, 5_u32, false), (4, 239, true)] {
            let mut power: Number = [0; WORDS + 5];
            power[0] = factor;
            divide(&mut power, x);
            for n in 0.. {
                let mut term = power;
                divide(&mut term, 2 * n + 1);
                if term.iter().all(|word| *word == 0) {
                    break;
                }
                add(&mut pi, &term, is_negative ^ (n % 2 == 1));
                divide(&mut power, x * x);
            }
        }
        let ours: Vec<u32> = pi::P.into_iter().chain(pi::S.into_iter().flatten()).collect();
        assert_eq!(pi[0], 3);
        assert_eq!(pi[1..=WORDS], ours);
    }

    /// Published vectors, through a full batch.
    #[test]
    fn published_vectors_hold() {
        use base64::Engine;
        // Openwall's crypt_blowfish (wrapper.c) and jBCrypt.
        let vectors: [(&[u8], &str); 10] = [
            (b"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            (b"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
            (b"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
            (b"", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
            (
                b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
                "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
            ),
            (b"\xff\xff\xa3", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
            (b"\xa3", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
            (b"", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
            (b"a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
            (b"abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"),
        ];
        for cost in 5..=6 {
            let of_cost = vectors.iter().filter(|(_, hash)| hash[4..6].parse() == Ok(cost));
            let mut lanes: Vec<Lane> = of_cost
                .clone()
                .map(|(password, hash)| {
                    let salt = bcrypt::BASE_64.decode(&hash[7..29]).unwrap();
                    Lane::new(cost, salt.try_into().unwrap(), &ended(password))
                })
                .collect();
            assert!(lanes.len() >= 3);
            advance(&mut lanes, 1 << cost);
            for ((_, hash), lane) in of_cost.zip(lanes) {
                assert_eq!(bcrypt::BASE_64.encode(&lane.finish()[..23]), hash[29..], "{hash}");
            }
        }
    }
}
