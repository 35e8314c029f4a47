//! [`Work`] bounds what answers take: readings at the same time, and bytes that are on their way to clients.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

/// Reads run directories at the same time, at the most.
pub const READERS: usize = 4;
/// Bytes of long answers that are on their way at the same time, at the most; a longer one goes alone.
const ON_THE_WAY: usize = 256 << 20;
/// An answer up to this length in bytes is not counted: there are only as many as there are connections.
const SHORT: usize = 256 << 10;

/// The bounds, shared by all requests.
#[derive(Debug)]
pub struct Work {
    readers: Arc<Semaphore>,
    /// One for each [`SHORT`] bytes.
    room: Arc<Semaphore>,
}

impl Default for Work {
    fn default() -> Work {
        let new = |permits| Arc::new(Semaphore::new(permits));
        Work { readers: new(READERS), room: new(ON_THE_WAY / SHORT) }
    }
}

impl Work {
    /// Runs `read` on a thread of its own when its turn has come. A client that goes away before gives up its turn.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // The semaphore is never closed; without a permit, the reading would only have more company.
        let turn = Arc::clone(&self.readers).acquire_owned().await.ok();
        let reading = tokio::task::spawn_blocking(move || {
            // Held until the reading ends, also if nobody waits for it any more.
            let _turn = turn;
            read()
        });
        reading.await
    }

    /// The bytes as the body of an answer; `None` if too many are on their way. They count until they are sent.
    pub fn body(&self, bytes: Vec<u8>) -> Option<Body> {
        if bytes.len() <= SHORT {
            return Some(Body::from(bytes));
        }
        let permits = bytes.len().div_ceil(SHORT).min(ON_THE_WAY / SHORT) as u32;
        let room = Arc::clone(&self.room).try_acquire_many_owned(permits).ok()?;
        Some(Body::from(Bytes::from_owner(Counted { bytes, _room: room })))
    }
}

/// Bytes with their room, which is given back when nobody needs them any more.
struct Counted {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_have_room_for_so_many_bytes_and_short_ones_always() {
        let work = Work::default();
        let half = || work.body(vec![0; ON_THE_WAY / 2]);
        let (first, second) = (half(), half());
        assert!(first.is_some() && second.is_some());
        assert!(work.body(vec![0; SHORT + 1]).is_none());
        assert!(work.body(vec![0; SHORT]).is_some());
        drop(first);
        assert!(work.body(vec![0; SHORT + 1]).is_some());
        assert!(work.body(vec![0; ON_THE_WAY + 1]).is_none(), "not beside another");
        drop(second);
        assert!(work.body(vec![0; ON_THE_WAY + 1]).is_some(), "alone");
    }
}
