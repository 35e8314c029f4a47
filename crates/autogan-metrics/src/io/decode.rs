//! This module decodes a set ahead of the network, in groups that are bounded in pictures and in bytes.
//!
//! Small pictures are decoded many at a time, so that handing them to threads costs little. How large a picture is, its
//! header tells before it is decoded: one that is larger than its share waits, and is decoded with no more others than
//! there are threads. So memory is bounded by [`Bounds::bytes`] and by the largest picture of each thread, whatever the
//! sizes are, and neither the order nor the groups depend on the number of threads.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;

use autogan_data::{DataError, Picture};
use rayon::ThreadPool;

use super::source::{Loaded, Pictures};
use crate::Result;

/// Pictures of one size that follow each other.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub width: usize,
    pub height: usize,
    pub count: usize,
    /// `[count, 3, height, width]`.
    pub pixels: Vec<u8>,
}

/// Pictures that go to the network together.
pub(super) type Group = Vec<Run>;

/// How much is decoded at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Pictures of a group.
    pub batch: usize,
    /// Bytes of pixels from which a group is whole before it has that many pictures; as many are decoded at a time.
    pub bytes: usize,
    /// Threads that decode.
    pub workers: usize,
}

impl Bounds {
    /// Small pictures that are decoded at a time.
    const MANY: usize = 64;

    /// The number of pictures to decode at a time, where the largest of the last ones had so many bytes.
    fn step(&self, largest: usize) -> usize {
        let many = self.workers.max(Self::MANY);
        if largest.saturating_mul(many) <= self.bytes { many } else { self.workers }
    }

    /// The bytes that each of `step` pictures may take: as many threads as there are may always decode one each.
    fn share(&self, step: usize) -> usize {
        if step <= self.workers { usize::MAX } else { self.bytes / step }
    }
}

/// Decodes all pictures and sends them in groups. After one that cannot be read, the others are still looked at, so that
/// all faults of a set are known at once.
///
/// # Errors
/// When pictures cannot be read, each of which is named.
pub(super) fn decode(
    source: &dyn Pictures,
    bounds: Bounds,
    pool: &ThreadPool,
    sender: &SyncSender<Result<Group>>,
) -> Result<()> {
    let mut groups = Groups { bounds, sender, group: Vec::new(), faults: Vec::new(), gone: false };
    let (mut next, mut largest) = (0, 0);
    while !groups.gone {
        let left = source.count().map_or(usize::MAX, |count| count - next);
        let step = bounds.step(largest).min(left);
        if step == 0 {
            break;
        }
        let share = bounds.share(step);
        let loaded = pool.install(|| source.load_within(next..next + step, share))?;
        if loaded.is_empty() {
            break;
        }
        largest = 0;
        let mut waiting = VecDeque::from(loaded);
        while let Some(first) = waiting.pop_front() {
            if !matches!(first, Loaded::Large) {
                largest = largest.max(groups.add(first));
                next += 1;
                continue;
            }
            let others = waiting.iter().take(bounds.workers - 1);
            let large = 1 + others.take_while(|other| matches!(other, Loaded::Large)).count();
            waiting.drain(..large - 1);
            let decoded = pool.install(|| source.load_within(next..next + large, usize::MAX))?;
            next += large;
            for one in decoded {
                largest = largest.max(groups.add(one));
            }
        }
    }
    groups.finish()
}

/// Pictures on their way to the network.
struct Groups<'a> {
    bounds: Bounds,
    sender: &'a SyncSender<Result<Group>>,
    group: Group,
    faults: Vec<DataError>,
    /// Whether nobody listens any more: the network has failed.
    gone: bool,
}

impl Groups<'_> {
    /// Adds what became of a picture, and sends the group when it is whole. Returns the bytes of the picture.
    fn add(&mut self, loaded: Loaded) -> usize {
        match loaded {
            Loaded::Picture(picture) => {
                let bytes = picture.planes.len();
                if self.faults.is_empty() {
                    self.push(picture);
                }
                bytes
            }
            Loaded::Fault(fault) => {
                self.faults.push(fault);
                self.group = Vec::new();
                0
            }
            Loaded::Large => 0,
        }
    }

    fn push(&mut self, picture: Picture) {
        let Picture { width, height, planes } = picture;
        match self.group.last_mut().filter(|run| (run.width, run.height) == (width, height)) {
            Some(run) => {
                run.count += 1;
                run.pixels.extend_from_slice(&planes);
            }
            None => self.group.push(Run { width, height, count: 1, pixels: planes }),
        }
        let count: usize = self.group.iter().map(|run| run.count).sum();
        let bytes: usize = self.group.iter().map(|run| run.pixels.len()).sum();
        if count >= self.bounds.batch || bytes >= self.bounds.bytes {
            self.send();
        }
    }

    fn send(&mut self) {
        let group = std::mem::take(&mut self.group);
        self.gone |= self.sender.send(Ok(group)).is_err();
    }

    /// Sends what is left. It fails with all faults.
    fn finish(mut self) -> Result<()> {
        if !self.faults.is_empty() {
            return Err(DataError::several(self.faults).into());
        }
        if !self.group.is_empty() && !self.gone {
            self.send();
        }
        Ok(())
    }
}
