//! Keys as bytes: what groups, joins and DISTINCT compare and hash.
//!
//! **Invariant:** two rows have equal bytes if and only if they have equal values, where NULL equals
//! NULL, all NaN are one value and -0.0 equals 0.0. The hash is a function of the bytes alone, with a
//! fixed seed, so that it may be stored.

mod codec;
mod index;
mod table;

pub(crate) use codec::{EncodedKeys, KeyCodec};
pub(crate) use table::{KeyStore, KeyTable};

#[cfg(test)]
mod tests;
