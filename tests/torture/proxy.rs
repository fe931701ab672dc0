//! The line between one worker and Redis: it can be slow, be cut, and lie; and it can replace scripts by broken ones.

mod resp;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::mutants::Rewriter;

/// What the line does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Weather {
    #[default]
    Fair,
    /// What is sent arrives up to this much later, in both directions.
    Slow(Duration),
    /// Now and then the connection ends in the midst of a reply.
    Cut,
    /// Now and then a bit of a reply is flipped.
    Corrupt,
    /// Now and then a read is answered for another key.
    Mislead,
}

/// How late a few of all requests and replies are in fair weather.
const FAIR: Duration = Duration::from_millis(4);

/// One worker's line, which outlives the worker.
#[derive(Debug)]
pub(crate) struct Line {
    port: u16,
    weather: watch::Sender<Weather>,
}

impl Line {
    pub(crate) async fn open(redis: u16, rewriter: Arc<Rewriter>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (weather, forecast) = watch::channel(Weather::Fair);
        tokio::spawn(async move {
            while let Ok((worker, _)) = listener.accept().await {
                let (rewriter, weather) = (rewriter.clone(), forecast.clone());
                tokio::spawn(async move { carry(worker, redis, &rewriter, weather).await });
            }
        });
        Ok(Self { port, weather })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

/// Carries one connection until either side ends it, or the weather does.
async fn carry(
    worker: TcpStream,
    redis: u16,
    rewriter: &Rewriter,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let redis = TcpStream::connect(("127.0.0.1", redis)).await?;
    worker.set_nodelay(true)?;
    redis.set_nodelay(true)?;
    let (from_worker, to_worker) = worker.into_split();
    let (from_redis, to_redis) = redis.into_split();
    tokio::select! {
        end = requests(from_worker, to_redis, rewriter, weather.clone()) => end,
        end = replies(from_redis, to_worker, rewriter, weather) => end,
    }
}

async fn requests(
    mut input: OwnedReadHalf,
    mut output: OwnedWriteHalf,
    rewriter: &Rewriter,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let (mut unread, mut out) = (Vec::new(), Vec::new());
    let mut last_get = None;
    while input.read_buf(&mut unread).await? > 0 {
        let now = *weather.borrow();
        let mut taken = 0;
        while let Some((mut command, len)) = resp::command(&unread[taken..])? {
            taken += len;
            rewriter.rewrite(&mut command);
            if now == Weather::Mislead {
                mislead(&mut command, &mut last_get);
            }
            resp::write(&command, &mut out);
        }
        unread.drain(..taken);
        be_late(now).await;
        output.write_all(&out).await?;
        out.clear();
    }
    Ok(())
}

async fn replies(
    mut input: OwnedReadHalf,
    mut output: OwnedWriteHalf,
    rewriter: &Rewriter,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(16 << 10);
    while input.read_buf(&mut bytes).await? > 0 {
        let now = *weather.borrow();
        rewriter.restore(&mut bytes);
        be_late(now).await;
        let at = fastrand::usize(0..bytes.len());
        match now {
            Weather::Cut if fastrand::u8(0..20) == 0 => {
                return output.write_all(&bytes[..at]).await;
            }
            Weather::Corrupt if fastrand::u8(0..4) == 0 => bytes[at] ^= 1 << fastrand::u8(0..8),
            _ => {}
        }
        output.write_all(&bytes).await?;
        bytes.clear();
    }
    Ok(())
}

async fn be_late(weather: Weather) {
    // A network takes its time also when it is fair: long enough that others come in between.
    let most = match weather {
        Weather::Slow(most) => most,
        _ if fastrand::u8(0..8) == 0 => FAIR,
        _ => return,
    };
    tokio::time::sleep(most.mul_f64(fastrand::f64())).await;
}

/// Asks for the key of the last read in place of this one's.
fn mislead(command: &mut [Vec<u8>], last_get: &mut Option<Vec<u8>>) {
    if let [name, key] = command
        && name.eq_ignore_ascii_case(b"GET")
    {
        let asked = key.clone();
        if fastrand::u8(0..4) == 0
            && let Some(last) = last_get.take()
        {
            *key = last;
        }
        *last_get = Some(asked);
    }
}
