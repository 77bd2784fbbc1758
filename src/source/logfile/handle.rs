//! The thread of a source: started, told to stop, waited for.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Stopwatch;

/// How long a new thread waits for the one before it, which may hang in a file system.
const PREDECESSOR: Duration = Duration::from_secs(5);

/// The thread that reads one source. Dropping it tells the thread to stop and does not wait for it.
#[derive(Debug)]
pub struct Handle {
    stop: Arc<AtomicBool>,
    /// Closing it wakes the thread.
    wake: Option<PipeWriter>,
    ended: oneshot::Receiver<()>,
}

impl Handle {
    /// Tells the thread to stop and waits until it has handed over what it read and kept its place; at most for `patience`, since
    /// a file system may hang. Whether it ended.
    pub fn stop(mut self, patience: Duration) -> bool {
        self.tell();
        let waited = Stopwatch::start();
        loop {
            match self.ended.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => {}
                _ => return true,
            }
            if waited.elapsed() >= patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the thread ends: by itself it does so only at the end of the standard input, or because of a defect.
    pub async fn ended(&mut self) {
        let _ = (&mut self.ended).await;
    }

    /// Whether the thread has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    fn tell(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wake = None;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.tell();
    }
}

/// How the thread hears that it is to stop.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) told: Arc<AtomicBool>,
    /// Becomes readable.
    pub(crate) wake: PipeReader,
}

impl Stop {
    pub(crate) fn is_told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }
}

/// Starts a thread called `name` that runs `work`.
pub(crate) fn spawn(name: &str, work: impl FnOnce(Stop) + Send + 'static) -> io::Result<Handle> {
    let (wake, writer) = io::pipe()?;
    let told = Arc::new(AtomicBool::new(false));
    let (end, ended) = oneshot::channel();
    let stop = Stop {
        told: Arc::clone(&told),
        wake,
    };
    // the kernel shows 15 bytes of a thread's name
    std::thread::Builder::new()
        .name(format!("log {name}").chars().take(15).collect())
        .spawn(move || {
            work(stop);
            drop(end);
        })?;
    Ok(Handle {
        stop: told,
        wake: Some(writer),
        ended,
    })
}

/// Who reads under a name: two at once would hand over lines twice.
static READERS: Mutex<BTreeMap<(usize, String), u64>> = Mutex::new(BTreeMap::new());
/// Somebody stopped reading.
static LEFT: Condvar = Condvar::new();

/// The right to read under a name.
#[derive(Debug)]
pub(crate) struct Lease {
    key: (usize, String),
    number: u64,
}

impl Lease {
    /// Waits until the reader before has stopped; one that hangs loses its right after five seconds. `keeper` tells apart
    /// where places are kept.
    pub(crate) fn take(keeper: usize, name: &str) -> Self {
        let key = (keeper, name.to_owned());
        let readers = READERS.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut readers, _) = LEFT
            .wait_timeout_while(readers, PREDECESSOR, |readers| readers.contains_key(&key))
            .unwrap_or_else(PoisonError::into_inner);
        let number = readers.get(&key).map_or(0, |before| before + 1);
        readers.insert(key.clone(), number);
        Self { key, number }
    }

    /// Whether nobody took over meanwhile.
    pub(crate) fn is_mine(&self) -> bool {
        let readers = READERS.lock().unwrap_or_else(PoisonError::into_inner);
        readers.get(&self.key) == Some(&self.number)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut readers = READERS.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.get(&self.key) == Some(&self.number) {
            readers.remove(&self.key);
        }
        LEFT.notify_all();
    }
}
