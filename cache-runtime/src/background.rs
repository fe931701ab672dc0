//! Steps that run in tasks and that nobody waits for, counted so that a shutdown can.

use std::sync::Arc;

use tokio::sync::watch;

/// The steps that run in the background.
#[derive(Clone, Debug, Default)]
pub(crate) struct Background(Arc<watch::Sender<usize>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running(Background);

impl Background {
    /// Counts one more.
    pub(crate) fn begin(&self) -> Running {
        self.0.send_modify(|count| *count += 1);
        Running(self.clone())
    }

    /// Waits until there is none.
    pub(crate) async fn ended(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}
