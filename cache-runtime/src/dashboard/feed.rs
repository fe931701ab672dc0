//! What viewers are sent: a frame each second, made once for all of them, while there is one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::frame::{Frame, Sites, Whole};
use super::minute::LastMinute;
use super::past::Past;
use crate::cache::Cache;
use crate::clock::unix_ms;
use crate::lock::lock;
use crate::solo::Solo;
use crate::timer;

/// Between two frames.
const PACE: Duration = Duration::from_secs(1);

/// How many look at a time.
const MAX_VIEWERS: usize = 64;

/// The frames of one dashboard.
pub(super) struct Feed(Arc<Inner>);

struct Inner {
    cache: Cache,
    latest: watch::Sender<Sent>,
    past: Mutex<Past>,
    minute: Mutex<LastMinute>,
    viewers: AtomicUsize,
    sampler: Solo,
}

/// A frame, as it is sent, and of how many call sites.
#[derive(Clone, Default)]
pub(super) struct Sent {
    pub(super) text: Arc<str>,
    pub(super) sites: usize,
}

/// One who looks, until it is dropped.
pub(super) struct Viewer {
    feed: Arc<Inner>,
    frames: watch::Receiver<Sent>,
}

impl Feed {
    pub(super) fn new(cache: Cache) -> Self {
        Self(Arc::new(Inner {
            cache,
            latest: watch::Sender::default(),
            past: Mutex::default(),
            minute: Mutex::default(),
            viewers: AtomicUsize::new(0),
            sampler: Solo::default(),
        }))
    }

    /// What was sent in the last minutes.
    pub(super) fn past(&self) -> Vec<Whole> {
        lock(&self.0.past).all(unix_ms(SystemTime::now()))
    }

    /// One more who looks; `None` if there are too many.
    pub(super) fn view(&self) -> Option<Viewer> {
        let others = self.0.viewers.fetch_add(1, Ordering::SeqCst);
        let viewer = Viewer {
            feed: self.0.clone(),
            frames: self.0.latest.subscribe(),
        };
        if others >= MAX_VIEWERS {
            return None;
        }
        self.0.sample_on();
        Some(viewer)
    }
}

impl Viewer {
    /// What the frames are about.
    pub(super) fn sites(&self) -> Sites {
        let cache = &self.feed.cache;
        Sites::of(&cache.snapshot(), cache.is_global())
    }

    /// The next frame. One that came while nobody waited is left out.
    pub(super) async fn next(&mut self) -> Option<Sent> {
        // The sender lives as long as this does.
        self.frames.changed().await.ok()?;
        Some(self.frames.borrow_and_update().clone())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.feed.viewers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    /// Starts the task that makes the frames, unless it runs. It ends when nobody looks.
    fn sample_on(self: &Arc<Self>) {
        let Some(turn) = self.sampler.begin() else {
            return;
        };
        let feed: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            while turn.go_on() {
                let Some(feed) = feed.upgrade() else {
                    return;
                };
                if feed.viewers.load(Ordering::SeqCst) == 0 {
                    drop(turn);
                    // Somebody may have come after the look and before the turn ended.
                    if feed.viewers.load(Ordering::SeqCst) > 0 {
                        feed.sample_on();
                    }
                    return;
                }
                feed.sample();
                drop(feed);
                timer::sleep(PACE).await;
            }
        });
    }

    fn sample(&self) {
        let snapshot = self.cache.snapshot();
        let minute = lock(&self.minute).read(Instant::now(), &snapshot.total);
        let changes = self.cache.changes();
        let last = changes.last().map_or(0, |change| unix_ms(change.at));
        let times = (unix_ms(SystemTime::now()), last);
        let frame = Frame::of(&snapshot, times, &minute);
        lock(&self.past).add(frame.whole);
        if let Ok(text) = serde_json::to_string(&frame) {
            let (text, sites) = (text.into(), snapshot.call_sites.len());
            self.latest.send_replace(Sent { text, sites });
        }
    }
}
