//! Names that nobody else has. They name things and decide nothing.

use std::hash::{BuildHasher, RandomState};

use uuid::Uuid;

/// A random topic id; never one of those with a meaning (zero and one).
pub(crate) fn topic_id() -> Uuid {
    uuid::Builder::from_random_bytes(bytes().to_be_bytes()).into_uuid()
}

/// A random text of 22 characters, as Kafka's cluster ids have.
pub(crate) fn cluster_id() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = bytes();
    (0..22)
        .map(|digit| {
            let index = usize::try_from((number >> (digit * 5)) & 31).unwrap_or(0);
            char::from(ALPHABET.get(index).copied().unwrap_or(b'A'))
        })
        .collect()
}

/// A random ending for a group member's name.
pub(crate) fn member_suffix() -> String {
    Uuid::from_u128(bytes()).to_string()
}

/// 128 random bits, from the keys that the standard library draws for its hash maps.
fn bytes() -> u128 {
    let draw = || u128::from(RandomState::new().hash_one(0_u8));
    (draw() << 64) | draw()
}
