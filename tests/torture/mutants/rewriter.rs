//! The line's end of a mutant: scripts are replaced where they are loaded.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use redis::Script;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{Broken, Mutant, REPLACE};

/// Breaks a rule on the way to Redis.
#[derive(Debug)]
pub(crate) struct Rewriter {
    mutant: Option<&'static Mutant>,
    /// The hash of each script that has been seen, and that of what is run in its place.
    hashes: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    /// Fills are known by the hashes of their scripts.
    fills: Mutex<Vec<Vec<u8>>>,
    is_broken: AtomicBool,
}

impl Rewriter {
    pub(crate) fn new(mutant: Option<&'static Mutant>) -> Self {
        Self {
            mutant,
            hashes: Mutex::default(),
            fills: Mutex::default(),
            is_broken: AtomicBool::new(false),
        }
    }

    /// Whether the rule was met and broken, once every script has been loaded.
    pub(crate) fn is_in_effect(&self) -> bool {
        match self.mutant.map(|mutant| mutant.broken) {
            None | Some(Broken::Worker(_)) => true,
            Some(_) => self.is_broken.load(Ordering::SeqCst),
        }
    }

    /// Rewrites one command.
    pub(crate) fn rewrite(&self, command: &mut [Vec<u8>]) {
        let Some(mutant) = self.mutant else {
            return;
        };
        let Some((name, args)) = command.split_first_mut() else {
            return;
        };
        if name.eq_ignore_ascii_case(b"SCRIPT") {
            if let [load, script] = args
                && load.eq_ignore_ascii_case(b"LOAD")
            {
                self.load(mutant, script);
            }
        } else if name.eq_ignore_ascii_case(b"EVALSHA") {
            self.run(mutant, args);
        }
    }

    /// Puts the hash that the client knows in the place of that of a broken script: it is asserted on in debug builds.
    pub(crate) fn restore(&self, reply: &mut [u8]) {
        if self.mutant.is_none() {
            return;
        }
        let hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        for (hash, instead) in hashes.iter() {
            let at = reply
                .windows(instead.len())
                .position(|window| window == instead.as_slice());
            if let Some(at) = at {
                reply[at..at + hash.len()].copy_from_slice(hash);
            }
        }
    }

    fn load(&self, mutant: &Mutant, script: &mut Vec<u8>) {
        let faithful = String::from_utf8_lossy(script).into_owned();
        let hash = Script::new(&faithful).get_hash().as_bytes().to_vec();
        if faithful.contains(REPLACE) {
            self.fills
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(hash.clone());
        }
        let broken = match mutant.broken {
            Broken::Text(rule, broken) if faithful.contains(rule) => faithful.replace(rule, broken),
            Broken::Script(contains, broken) if faithful.contains(contains) => broken.to_owned(),
            _ => return,
        };
        self.is_broken.store(true, Ordering::SeqCst);
        let instead = Script::new(&broken).get_hash().as_bytes().to_vec();
        self.hashes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(hash, instead);
        *script = broken.into_bytes();
    }

    fn run(&self, mutant: &Mutant, args: &mut [Vec<u8>]) {
        let Some((hash, args)) = args.split_first_mut() else {
            return;
        };
        if let (Broken::Values, Some((keys, args))) = (mutant.broken, args.split_first_mut()) {
            let keys = std::str::from_utf8(keys).ok();
            let keys = keys.and_then(|keys| keys.parse().ok()).unwrap_or(0);
            let fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
            let (keys, args) = args.split_at_mut(keys.min(args.len()));
            let values = args.chunks_mut(3).filter_map(<[_]>::last_mut);
            if fills.contains(hash) {
                for (key, value) in keys.iter().zip(values) {
                    let is_forged = forge(key, value);
                    self.is_broken.fetch_or(is_forged, Ordering::SeqCst);
                }
            }
        }
        let hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instead) = hashes.get(hash) {
            hash.clone_from(instead);
        }
    }
}

/// The key that an envelope is sealed with, from the name of its slot: `cache:0.1f6b0c93a2d7:hot:4` holds `cache:0:hot:4`.
fn without_generation(slot: &[u8]) -> Vec<u8> {
    let Some(dot) = slot.iter().position(|byte| *byte == b'.') else {
        return slot.to_vec();
    };
    let end = slot[dot..].iter().position(|byte| *byte == b':');
    [&slot[..dot], end.map_or(&[][..], |end| &slot[dot + end..])].concat()
}

/// Changes the last byte of a value, and makes the check of its envelope good.
fn forge(key: &[u8], slot: &mut [u8]) -> bool {
    const CHECK_AT: usize = 17;
    let Some((check, sealed)) = slot
        .get_mut(CHECK_AT..)
        .and_then(|envelope| envelope.split_first_chunk_mut::<8>())
    else {
        return false;
    };
    let seed = xxh3_64(&without_generation(key));
    let seal = |sealed: &[u8]| xxh3_64_with_seed(sealed, seed).to_be_bytes();
    if *check != seal(sealed) {
        return false;
    }
    let Some(last) = sealed.last_mut() else {
        return false;
    };
    // Still text: the filler ends in a letter or a digit.
    *last = if *last == b'x' { b'y' } else { b'x' };
    *check = seal(sealed);
    true
}
