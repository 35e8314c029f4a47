//! A [`Fault`] is one thing that goes wrong in a run; [`Plan`] lists which faults a sweep tries.

use std::collections::BTreeMap;
use std::fmt;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Calls of each kind in a run to which nothing happens, by the name of the kind.
pub type Counts = BTreeMap<String, u64>;

/// The errors that each kind of call meets, with their numbers on Linux.
const ERRORS: [(&str, i64); 4] = [("ENOSPC", 28), ("EIO", 5), ("EINTR", 4), ("EMFILE", 24)];

/// The kinds of calls that fail with [`ERRORS`], with what they are.
const FAILING: [(&str, &str); 7] = [
    ("open", "open, openat, opendir"),
    ("write", "write, writev, pwrite"),
    ("sync", "fsync, fdatasync"),
    ("rename", "rename"),
    ("read", "read, pread, mmap"),
    ("other", "mkdir, unlink, rmdir, ftruncate, flock, locks by fcntl"),
    ("sqlite", "all of these on the files of the SQLite store"),
];

/// Seconds of a day.
const DAY: i64 = 86_400;

/// What happens to the n-th call of a kind, other than one of [`ERRORS`].
const OTHERS: [Way; 7] = [
    // Writes of two bytes or more, to the store as well.
    Way { kind: "data", name: "short", action: "short", value: 0 },
    Way { kind: "data", name: "torn", action: "torn", value: 0 },
    Way { kind: "data", name: "full", action: "lasting", value: 28 },
    // Calls that change a file or a directory: between others, nothing on the disk changes.
    Way { kind: "change", name: "SIGKILL", action: "kill", value: 0 },
    Way { kind: "any", name: "gone", action: "lasting", value: 5 },
    Way { kind: "clock", name: "day-on", action: "jump", value: DAY },
    Way { kind: "clock", name: "day-back", action: "jump", value: -DAY },
];

/// What happens to the calls of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The kind of call, as the library names it.
    pub kind: &'static str,
    /// What it is called in results.
    pub name: &'static str,
    action: &'static str,
    value: i64,
}

impl Way {
    /// All ways, in the order of results.
    pub fn all() -> Vec<Way> {
        let failing = FAILING.into_iter().flat_map(|(kind, _)| {
            ERRORS.map(|(name, value)| Way { kind, name, action: "error", value })
        });
        failing.chain(OTHERS).collect()
    }

    /// What the kind and the way mean, for people.
    pub fn meaning(&self) -> String {
        let calls = FAILING.iter().find(|(kind, _)| *kind == self.kind);
        match (calls, self.name) {
            (Some((_, calls)), _) => (*calls).to_owned(),
            (None, "short") => "a write writes half of its bytes, and says so".to_owned(),
            (None, "torn") => "a write writes half of its bytes, then SIGKILL".to_owned(),
            (None, "full") => "this write and all after it find a full disk".to_owned(),
            (None, "SIGKILL") => {
                "SIGKILL before a call that changes a file or directory".to_owned()
            }
            (None, "gone") => "this call and all after it fail with EIO".to_owned(),
            (None, _) => "the clock jumps at its n-th reading".to_owned(),
        }
    }

    /// Whether the process is killed, so that it can say nothing.
    pub fn kills(&self) -> bool {
        matches!(self.action, "torn" | "kill")
    }
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub way: Way,
    /// At which call of the kind, from 1.
    pub n: u64,
}

impl Fault {
    /// As the library reads it.
    pub fn spec(&self) -> String {
        let Way { kind, action, value, .. } = self.way;
        format!("{kind} {} {action} {value}", self.n)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.way.kind, self.way.name, self.n)
    }
}

/// Which faults are tried.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Only these kinds of calls; all where it is empty.
    pub kinds: Vec<String>,
    /// Each call up to this number.
    pub up_to: u64,
    /// How many of the later calls.
    pub more: usize,
    /// Draws the later calls, and the order.
    pub seed: u64,
}

impl Plan {
    /// The faults, for a run that makes so many calls. They are in an order drawn by the seed, so that a sweep that is
    /// stopped early has tried all kinds alike.
    pub fn faults(&self, counts: &Counts) -> Vec<Fault> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut all = Vec::new();
        for way in self.ways() {
            let count = counts.get(way.kind).copied().unwrap_or(0);
            let mut later: Vec<u64> = (self.up_to + 1..=count).collect();
            later.shuffle(&mut random);
            later.truncate(self.more);
            all.extend((1..=count.min(self.up_to)).chain(later).map(|n| Fault { way, n }));
        }
        all.shuffle(&mut random);
        all
    }

    /// One fault of each way, as [`Plan::faults`] draws them first.
    pub fn one_of_each(&self, counts: &Counts) -> Vec<Fault> {
        let all = self.faults(counts);
        let first = |way| all.iter().find(|fault| fault.way == way).copied();
        self.ways().into_iter().filter_map(first).collect()
    }

    fn ways(&self) -> Vec<Way> {
        let wanted = |way: &Way| self.kinds.is_empty() || self.kinds.iter().any(|k| k == way.kind);
        Way::all().into_iter().filter(wanted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(kinds: &[&str]) -> Plan {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        Plan { kinds, up_to: 5, more: 3, seed: 1 }
    }

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
    }

    #[test]
    fn each_call_is_tried_up_to_a_number_and_some_beyond() {
        let faults = plan(&["write", "rename"]).faults(&counts(&[("write", 100), ("rename", 4)]));
        for name in ["ENOSPC", "EIO", "EINTR", "EMFILE"] {
            let of = |kind: &str| {
                let own = faults.iter().filter(|f| f.way.kind == kind && f.way.name == name);
                let mut numbers: Vec<u64> = own.map(|fault| fault.n).collect();
                numbers.sort_unstable();
                numbers
            };
            assert_eq!(of("rename"), [1, 2, 3, 4]);
            assert_eq!(of("write")[..5], [1, 2, 3, 4, 5]);
            assert!(of("write").len() == 8 && of("write")[5] > 5 && of("write")[7] <= 100);
        }
        assert_eq!(faults.len(), 4 * (8 + 4));
    }

    #[test]
    fn the_quick_plan_has_each_way_once_and_the_seed_decides_which_call() {
        let counts = counts(&Way::all().map_counts());
        let quick = plan(&[]).one_of_each(&counts);
        assert_eq!(quick.iter().map(|fault| fault.way).collect::<Vec<_>>(), Way::all());
        assert_eq!(quick, plan(&[]).one_of_each(&counts));
        assert_ne!(quick, Plan { seed: 2, ..plan(&[]) }.one_of_each(&counts));
    }

    trait MapCounts {
        fn map_counts(&self) -> Vec<(&'static str, u64)>;
    }

    impl MapCounts for Vec<Way> {
        fn map_counts(&self) -> Vec<(&'static str, u64)> {
            self.iter().map(|way| (way.kind, 1000)).collect()
        }
    }

    #[test]
    fn the_library_is_told_in_four_words() {
        let specs: Vec<String> =
            Way::all().into_iter().map(|way| Fault { way, n: 7 }.spec()).collect();
        assert!(specs.contains(&"write 7 error 28".to_owned()), "{specs:?}");
        assert!(specs.contains(&"clock 7 jump -86400".to_owned()), "{specs:?}");
        assert!(specs.contains(&"change 7 kill 0".to_owned()), "{specs:?}");
    }
}
