//! What this process tells the controller: often, so that a process that is killed takes little with it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cache_runtime::global;

use crate::clock::Moment;
use crate::lines;
use crate::record::{Op, Process, Record};

/// How often it tells.
const PULSE: Duration = Duration::from_millis(10);

/// A pulse that comes this late tells that the machine had no time for this process.
pub(crate) const STALL: Duration = Duration::from_millis(100);

/// The records of this process that are not yet told.
#[derive(Debug)]
pub(crate) struct Journal {
    process: Process,
    records: Mutex<Vec<Record>>,
    operations: AtomicU64,
    /// A mutation ended while something was undelivered: the controller waits for its delivery.
    owes: AtomicBool,
    rests: AtomicBool,
}

impl Journal {
    pub(crate) fn new(process: Process) -> Self {
        Self {
            process,
            records: Mutex::default(),
            operations: AtomicU64::new(0),
            owes: AtomicBool::new(false),
            rests: AtomicBool::new(false),
        }
    }

    /// A name for the next mutation.
    pub(crate) fn next_op(&self) -> Op {
        Op {
            process: self.process,
            number: self.operations.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn push(&self, record: Record) {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record);
    }

    /// Whether nothing is undelivered; if something is, the controller will be told when that is over.
    pub(crate) fn has_delivered(&self) -> bool {
        let delivered = global().undelivered() == 0;
        if !delivered {
            self.owes.store(true, Ordering::SeqCst);
        }
        delivered
    }

    /// Tells the callers to stop.
    pub(crate) fn rest(&self) {
        self.rests.store(true, Ordering::SeqCst);
    }

    pub(crate) fn rests(&self) -> bool {
        self.rests.load(Ordering::SeqCst)
    }

    /// Tells, for as long as somebody listens.
    pub(crate) async fn tell(self: std::sync::Arc<Self>) -> io::Result<()> {
        let mut output = tokio::io::stdout();
        let mut last = Moment::now();
        loop {
            tokio::time::sleep(PULSE).await;
            let now = Moment::now();
            if now.since(last) > STALL {
                self.push(Record::Stalled {
                    from: last,
                    to: now,
                });
            }
            self.tell_of_delivery();
            let mut records =
                std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner));
            // Not the moment of now, which is older than the records that were pushed since: those are told as well.
            records.push(Record::UpTo(now));
            lines::write(&mut output, &records).await?;
            last = now;
        }
    }

    fn tell_of_delivery(&self) {
        if !self.owes.swap(false, Ordering::SeqCst) {
            return;
        }
        let after = Moment::now();
        if self.has_delivered() {
            let before = Moment::now();
            self.push(Record::Delivered { after, before });
        }
    }
}
