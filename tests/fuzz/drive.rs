//! The loop: each text of the corpus as it is, then changed at random again and again.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Something that takes foreign bytes.
pub(crate) struct Target {
    /// Its name, for files and messages.
    pub(crate) name: &'static str,
    /// The texts to begin with.
    pub(crate) corpus: fn() -> Vec<Vec<u8>>,
    /// Pieces of text that are likely to upset it.
    pub(crate) pieces: &'static [&'static str],
    /// How often each text of the corpus is changed; about two seconds for all.
    pub(crate) rounds: usize,
    /// Makes the function that must not panic.
    pub(crate) open: fn() -> Probe,
}

/// A function that must not panic, whatever the bytes.
pub(crate) type Probe = Box<dyn Fn(&[u8])>;

/// Changes of one text, one after the other, at most.
const CHANGES_MAX: usize = 4;

/// Bytes that one change takes out or copies, at most.
const STRETCH_MAX: usize = 60;

/// Where the random numbers begin unless `ENGINE_FUZZ_SEED` says otherwise.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Runs a target over its corpus and over changes of it.
pub(crate) fn drive(target: &Target) {
    let (times, seed) = (setting("ENGINE_FUZZ_ROUNDS", 1), setting("ENGINE_FUZZ_SEED", SEED));
    let rounds = target.rounds * usize::try_from(times).expect("a number of rounds");
    let mut random = Random(seed.max(1));
    let corpus = (target.corpus)();
    assert!(!corpus.is_empty(), "the corpus of `{}` is empty", target.name);
    let run = (target.open)();
    let kept = kept_input(target.name);
    for text in &corpus {
        check(target.name, &run, text, &kept);
        for _ in 0..rounds {
            check(target.name, &run, &changed(text, target.pieces, &mut random), &kept);
        }
    }
    // Nothing failed, so nothing is worth keeping; it may never have been there.
    let _removed = fs::remove_file(kept);
}

/// Runs one input. It is written down first, because a stack that overflows ends the process.
fn check(name: &str, run: &dyn Fn(&[u8]), input: &[u8], kept: &Path) {
    fs::write(kept, input).expect("the input can be kept");
    let is_sound = catch_unwind(AssertUnwindSafe(|| run(input))).is_ok();
    assert!(is_sound, "`{name}` fails on the input in {}", kept.display());
}

fn kept_input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}.input"))
}

fn setting(name: &str, default: u64) -> u64 {
    let given = std::env::var_os(name);
    given.map_or(default, |text| {
        text.to_str().and_then(|text| text.parse().ok()).expect("a whole number")
    })
}

/// Every file of a corpus, by name.
pub(crate) fn files(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(folder);
    let entries = fs::read_dir(&folder).expect("a corpus is a folder");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file of the corpus")).collect()
}

/// Xorshift: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (limit.max(1) as u64)).expect("below a usize")
    }
}

fn changed(text: &[u8], pieces: &[&str], random: &mut Random) -> Vec<u8> {
    /// Lengths and numbers that programs forget about.
    const EXTREMES: [[u8; 4]; 5] =
        [[0x7f, 0xff, 0xff, 0xff], [0xff; 4], [0; 4], [0x80, 0, 0, 0], [0, 1, 0, 0]];
    let mut bytes = text.to_vec();
    for _ in 0..=random.below(CHANGES_MAX) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(STRETCH_MAX)).min(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.insert(at, u8::try_from(random.below(256)).expect("below 256")),
            3 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            4 if at + 4 <= bytes.len() => {
                bytes[at..at + 4].copy_from_slice(&EXTREMES[random.below(EXTREMES.len())]);
            }
            5 => {
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            _ if !pieces.is_empty() => {
                let piece = pieces[random.below(pieces.len())];
                bytes.splice(at..at, piece.bytes());
            }
            _ => {}
        }
    }
    bytes
}
