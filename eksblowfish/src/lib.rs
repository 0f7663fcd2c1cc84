//! bcrypt, several at once in one thread.
//!
//! Blowfish is a cipher whose tables (the *state*: 18 words P and four boxes S of 256 words) are made from its key.
//! To encrypt 64 bits it takes them as two halves and, sixteen times, mixes one half into the other by looking up
//! four words in S; each look-up depends on the result of the last one. bcrypt (Provos and Mazières, "A
//! Future-Adaptable Password Scheme", 1999) makes a password slow to guess by remaking that state: 2^cost times it
//! mixes the password into P and replaces every word of the state, one after the other, by encrypting with the
//! current state, and then does the same with the salt ("eksblowfish", expensive key schedule).
//!
//! So one bcrypt is a chain of hundreds of millions of look-ups, each of which waits some cycles for the one
//! before, while the processor has little else to do. Interleaving independent hashes fills those gaps: every step
//! here is done for all lanes of a [`Batch`] before the next step. Four together take little longer than one alone.
//! A state is 4 KiB, so six to eight fit into a first-level cache.
//!
//! The format of hashes is left to the `bcrypt` crate: salts and costs are its own, and tests, and the service at
//! every start, compare this implementation with it.

#[expect(clippy::unreadable_literal, reason = "nobody reads digits of a fraction")]
mod pi;

use zeroize::Zeroize;

/// The maximum number of hashes in a [`Batch`].
pub const MOST: usize = 6;

/// Hashes in progress, side by side; they may join and leave at any time. Wiped when done.
pub struct Batch {
    /// In one allocation, so that one register is enough to address all of them.
    states: Box<[State; MOST]>,
    schedules: Vec<Schedule>,
}

/// The state of one Blowfish.
#[derive(Clone, Zeroize)]
struct State {
    p: [u32; 18],
    s: [[u32; 256]; 4],
}

/// What is mixed into a state, and how often.
struct Schedule {
    /// The key, repeated to as many words as P has.
    key: [u32; 18],
    /// The salt, repeated likewise.
    salt: [u32; 18],
    /// How many times both must still be mixed in.
    left: u64,
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.key.zeroize();
        self.salt.zeroize();
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.states.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// What bcrypt encrypts 64 times with the final state.
const TEXT: &[u8; 24] = b"OrpheanBeholderScryDoubt";

/// Mixed into the data except for the first time.
const NOTHING: [u32; 18] = [0; 18];

impl Default for Batch {
    fn default() -> Self {
        let empty = State { p: [0; 18], s: [[0; 256]; 4] };
        Self { states: Box::new(std::array::from_fn(|_| empty.clone())), schedules: Vec::new() }
    }
}

impl Batch {
    /// The number of hashes in progress.
    pub fn len(&self) -> usize {
        self.schedules.len()
    }

    /// Whether no hash is in progress.
    pub fn is_empty(&self) -> bool {
        self.schedules.is_empty()
    }

    /// Begins a hash, as the last of the batch. `cost` must be below 64; `key` is 1 to 72 bytes, ending with NUL if
    /// there is room.
    ///
    /// # Panics
    /// If there are [`MOST`] already.
    pub fn push(&mut self, cost: u32, salt: [u8; 16], key: &[u8]) {
        let schedule = Schedule { key: repeated(key), salt: repeated(&salt), left: 1 << cost };
        let state = &mut self.states[self.schedules.len()];
        (state.p, state.s) = (pi::P, pi::S);
        // The first time, the salt is mixed into the data as well, two words at a time.
        expand(std::array::from_mut(state), [&schedule.key], [&schedule.salt]);
        self.schedules.push(schedule);
    }

    /// Advances all hashes by `turns` turns, or until the first is done.
    pub fn advance(&mut self, turns: u64) {
        let turns =
            self.schedules.iter().map(|schedule| schedule.left).min().unwrap_or(0).min(turns);
        match self.len() {
            0 => {}
            1 => self.advance_by::<1>(turns),
            2 => self.advance_by::<2>(turns),
            3 => self.advance_by::<3>(turns),
            4 => self.advance_by::<4>(turns),
            5 => self.advance_by::<5>(turns),
            _ => self.advance_by::<MOST>(turns),
        }
    }

    fn advance_by<const N: usize>(&mut self, turns: u64) {
        let Some(states) = self.states.first_chunk_mut::<N>() else { return };
        let (mut keys, mut salts) = ([&NOTHING; N], [&NOTHING; N]);
        for (n, schedule) in self.schedules.iter_mut().enumerate() {
            schedule.left -= turns;
            (keys[n], salts[n]) = (&schedule.key, &schedule.salt);
        }
        for _ in 0..turns {
            expand(states, keys, [&NOTHING; N]);
            expand(states, salts, [&NOTHING; N]);
        }
    }

    /// Removes a hash that is done. Returns its index in the batch, which the last hash takes over, and its 24
    /// bytes.
    pub fn pop_done(&mut self) -> Option<(usize, [u8; 24])> {
        let place = self.schedules.iter().position(|schedule| schedule.left == 0)?;
        let mut output = [0; 24];
        let state = std::array::from_mut(&mut self.states[place]);
        for (text, out) in TEXT.chunks_exact(8).zip(output.chunks_exact_mut(8)) {
            let (left, right) = text.split_at(4);
            let (mut l, mut r) = (repeated::<1>(left), repeated::<1>(right));
            for _ in 0..64 {
                encrypt(state, &mut l, &mut r);
            }
            out[..4].copy_from_slice(&l[0].to_be_bytes());
            out[4..].copy_from_slice(&r[0].to_be_bytes());
        }
        self.schedules.swap_remove(place);
        let last = self.schedules.len();
        self.states.swap(place, last);
        self.states[last].zeroize();
        Some((place, output))
    }
}

/// Mixes a key into each P and then replaces every word of each state, two at a time, by encrypting the result of
/// the last encryption, into which `data` is mixed.
#[inline(always)]
fn expand<const N: usize>(states: &mut [State; N], keys: [&[u32; 18]; N], data: [&[u32; 18]; N]) {
    for n in 0..N {
        for (p, key) in states[n].p.iter_mut().zip(keys[n]) {
            *p ^= key;
        }
    }
    let (mut l, mut r) = ([0; N], [0; N]);
    // The data is a salt of four words; P takes eighteen, so S goes on with the third.
    let mut step = |states: &[State; N], at: usize| {
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
            (states[n].p[i], states[n].p[i + 1]) = (l[n], r[n]);
        }
    }
    for b in 0..4 {
        for i in (0..256).step_by(2) {
            let (l, r) = step(states, i + 2);
            for n in 0..N {
                (states[n].s[b][i], states[n].s[b][i + 1]) = (l[n], r[n]);
            }
        }
    }
}

/// Encrypts one block, two halves, with each state: sixteen rounds, each for all lanes.
///
/// A round is `l ^= P[i]; r ^= F(l)`, after which the halves swap. Even lanes mix in the next word of P while they
/// wait for F, odd ones in the next round. Both are correct, and the first is faster; the difference between
/// neighbours keeps LLVM from generating gather instructions where it may (`target-cpu=native`), which take two to
/// three times as long as plain loads.
#[inline(always)]
fn encrypt<const N: usize>(states: &[State; N], l: &mut [u32; N], r: &mut [u32; N]) {
    for n in (0..N).step_by(2) {
        l[n] ^= states[n].p[0];
    }
    for i in (0..16).step_by(2) {
        for n in 0..N {
            let State { p, s } = &states[n];
            if n % 2 == 0 {
                r[n] = (r[n] ^ p[i + 1]) ^ mix(s, l[n]);
            } else {
                l[n] ^= p[i];
                r[n] ^= mix(s, l[n]);
            }
        }
        for n in 0..N {
            let State { p, s } = &states[n];
            if n % 2 == 0 {
                l[n] = (l[n] ^ p[i + 2]) ^ mix(s, r[n]);
            } else {
                r[n] ^= p[i + 1];
                l[n] ^= mix(s, r[n]);
            }
        }
    }
    for n in 0..N {
        let p = &states[n].p;
        let right = if n % 2 == 0 { l[n] } else { l[n] ^ p[16] };
        (l[n], r[n]) = (r[n] ^ p[17], right);
    }
}

/// Blowfish's F: four look-ups, one for each byte.
#[inline(always)]
fn mix(s: &[[u32; 256]; 4], x: u32) -> u32 {
    let byte = |shift: u32| (x >> shift & 0xff) as usize;
    (s[0][byte(24)].wrapping_add(s[1][byte(16)]) ^ s[2][byte(8)]).wrapping_add(s[3][byte(0)])
}

/// Big-endian words of the repeated bytes.
fn repeated<const WORDS: usize>(bytes: &[u8]) -> [u32; WORDS] {
    let mut cycle = bytes.iter().copied().cycle();
    let mut next = || cycle.next().unwrap_or(0);
    std::array::from_fn(|_| u32::from_be_bytes(std::array::from_fn(|_| next())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key as the crate makes it: NUL at the end if there is room.
    fn ended(password: &[u8]) -> Vec<u8> {
        password.iter().copied().chain([0]).take(72).collect()
    }

    /// Our own generator, so that every run has other inputs and a failure shows them.
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

        /// Empty, short, with NUL inside, and often around 72 bytes long.
        fn key(&mut self) -> Vec<u8> {
            let length = match self.next() % 4 {
                0 => self.next() % 4,
                1 => 69 + self.next() % 6,
                _ => self.next() % 80,
            };
            let mut bytes = self.bytes(usize::try_from(length).unwrap());
            if self.next().is_multiple_of(4) && !bytes.is_empty() {
                let at = usize::try_from(self.next()).unwrap() % bytes.len();
                bytes[at] = 0;
            }
            ended(&bytes)
        }
    }

    /// Thousands of hashes (in CI, forty thousand) of random costs, salts and passwords, in batches of every size and at
    /// every index, joining and leaving while others are in progress.
    #[test]
    fn every_hash_is_that_of_the_crate() {
        let mut inputs = Inputs::new();
        let hashes: u32 =
            std::env::var("HASHES").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
        let (mut batch, mut expected) = (Batch::default(), Vec::new());
        let mut begun = 0;
        while begun < hashes || !batch.is_empty() {
            let most = usize::try_from(1 + inputs.next() % 6).unwrap();
            while batch.len() < most && begun < hashes {
                let is_costly = inputs.next().is_multiple_of(16);
                let cost =
                    4 + if is_costly { 1 + u32::try_from(inputs.next() % 2).unwrap() } else { 0 };
                let salt: [u8; 16] = inputs.bytes(16).try_into().unwrap();
                let key = inputs.key();
                batch.push(cost, salt, &key);
                expected.push((cost, salt, key));
                begun += 1;
            }
            batch.advance(1 + inputs.next() % 20);
            while let Some((place, hash)) = batch.pop_done() {
                let (cost, salt, key) = expected.swap_remove(place);
                assert_eq!(hash, bcrypt::bcrypt(cost, salt, &key), "{cost} {salt:?} {key:?}");
            }
        }
    }

    /// A finished hash is wiped.
    #[test]
    fn nothing_is_left_of_a_hash() {
        let mut batch = Batch::default();
        for n in 0..3 {
            batch.push(4, [n; 16], b"password\0");
        }
        batch.advance(u64::MAX);
        while batch.pop_done().is_some() {}
        for state in batch.states.iter() {
            assert!(state.p.iter().chain(state.s.iter().flatten()).all(|word| *word == 0));
        }
    }

    /// Blowfish begins with the fraction of π, so that no constant is chosen. Machin's formula, in fixed point.
    #[test]
    fn the_constants_are_pi() {
        const WORDS: usize = 18 + 4 * 256;
        // One word before the point, some extra words for rounding; most significant first.
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
            let mut batch = Batch::default();
            let mut left: Vec<&str> = Vec::new();
            for (password, hash) in of_cost.take(MOST) {
                let salt = bcrypt::BASE_64.decode(&hash[7..29]).unwrap();
                batch.push(cost, salt.try_into().unwrap(), &ended(password));
                left.push(hash);
            }
            assert!(batch.len() >= 3);
            batch.advance(u64::MAX);
            while let Some((place, output)) = batch.pop_done() {
                let hash = left.swap_remove(place);
                assert_eq!(bcrypt::BASE_64.encode(&output[..23]), hash[29..], "{hash}");
            }
        }
    }
}
