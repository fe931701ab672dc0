//! The codecs: how large a value is with each of them, and how long that takes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use cache_runtime::__private::{open, seal};
use cache_runtime::{Codec, Json, MessagePack};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::statistics::median;
use crate::user::User;

const KEY: &[u8] = b"cache:0:user:7";

/// What was measured of all of them.
#[derive(Serialize, Deserialize)]
pub(crate) struct Codecs {
    pub(crate) date: String,
    pub(crate) rows: Vec<Row>,
}

/// One value with one codec; the times of each round, in nanoseconds.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) label: String,
    /// Of the encoded value, compressed or not.
    pub(crate) bytes: usize,
    encode: Vec<f64>,
    decode: Vec<f64>,
    fill: Vec<f64>,
    hit: Vec<f64>,
}

impl Row {
    /// The medians: the codec alone, both ways; and all that a fill and a hit do to the value, which is to check, compress and
    /// seal it.
    pub(crate) fn medians(&self) -> [f64; 4] {
        [&self.encode, &self.decode, &self.fill, &self.hit]
            .map(|times| median(times.iter().copied()))
    }
}

type Round = Box<dyn Fn(&mut Row) -> Result<()>>;

impl Codecs {
    /// All codecs take turns.
    pub(crate) fn measured(rounds: usize, length: Duration, date: &str) -> Result<Self> {
        let user = || User::of(7);
        let users = || (0..100).map(User::of).collect::<Vec<_>>();
        let subjects: [(&str, Round); 8] = [
            (
                "MessagePack, one row",
                round::<_, MessagePack>(user(), usize::MAX, length),
            ),
            (
                "JSON, one row",
                round::<_, Json>(user(), usize::MAX, length),
            ),
            (
                "MessagePack with LZ4, one row",
                round::<_, MessagePack>(user(), 0, length),
            ),
            (
                "JSON with LZ4, one row",
                round::<_, Json>(user(), 0, length),
            ),
            (
                "MessagePack, 100 rows",
                round::<_, MessagePack>(users(), usize::MAX, length),
            ),
            (
                "JSON, 100 rows",
                round::<_, Json>(users(), usize::MAX, length),
            ),
            (
                "MessagePack with LZ4, 100 rows",
                round::<_, MessagePack>(users(), 0, length),
            ),
            (
                "JSON with LZ4, 100 rows",
                round::<_, Json>(users(), 0, length),
            ),
        ];
        let mut rows: Vec<Row> = subjects.iter().map(|_| Row::default()).collect();
        for turn in 0..rounds {
            eprintln!("codecs: round {} of {rounds}", turn + 1);
            for ((label, round), row) in subjects.iter().zip(&mut rows) {
                (*label).clone_into(&mut row.label);
                round(row)?;
            }
        }
        let date = date.to_owned();
        Ok(Self { date, rows })
    }
}

/// One round of a value with a codec.
fn round<T, C: Codec>(value: T, compress_above: usize, length: Duration) -> Round
where
    T: Serialize + DeserializeOwned + 'static,
{
    Box::new(move |row| {
        let fill = || seal::<T, C>(KEY, Some(black_box(&value)), 0, compress_above);
        let encode = || C::encode(black_box(&value)).map_err(|error| anyhow!(error));
        let (sealed, encoded) = (fill()?, encode()?);
        let around = seal::<T, C>(KEY, None, 0, 0)?.len();
        row.bytes = sealed.len() - around;
        row.fill.push(nanoseconds(length, fill));
        row.encode.push(nanoseconds(length, encode));
        row.decode
            .push(nanoseconds(length, || C::decode::<T>(black_box(&encoded))));
        row.hit.push(nanoseconds(length, || {
            open::<T, C>(KEY, black_box(&sealed), 0)
        }));
        Ok(())
    })
}

/// How long `run` takes, in a loop of about `length`.
fn nanoseconds<R>(length: Duration, run: impl Fn() -> R) -> f64 {
    let started = Instant::now();
    let mut times = 0_u32;
    while started.elapsed() < length {
        for _ in 0..16 {
            black_box(run());
        }
        times += 16;
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(times)
}
