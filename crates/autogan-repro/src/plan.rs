//! [`jobs`] lists the jobs of each item, in an order in which each finds what it needs.

use crate::item::Item;
use crate::job::{Job, Method};
use crate::scale::{Dataset, Scale};

/// What figure 5 and table 2 train on, where there is no STL-10: the embedded shapes, drawn at 48x48.
pub fn transfer_dataset(scale: Scale, stl10: bool) -> Dataset {
    match scale {
        Scale::Full => Dataset::Stl10,
        _ if stl10 => Dataset::Stl10,
        _ => Dataset::Shapes,
    }
}

/// What a plan depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// How large the experiments are.
    pub scale: Scale,
    /// Whether there are files of CIFAR-10; without them its experiments are left out of `tiny` and `small`.
    pub cifar10: bool,
    /// Whether there are files of STL-10.
    pub stl10: bool,
}

impl Scope {
    /// The datasets that are searched on.
    pub fn datasets(self) -> Vec<Dataset> {
        let all = self.scale.datasets().iter().copied();
        all.filter(|dataset| {
            *dataset != Dataset::Cifar10 || self.cifar10 || self.scale == Scale::Full
        })
        .collect()
    }

    /// Every pair of a dataset and a seed; all datasets of one seed come together.
    pub fn pairs(self) -> Vec<(Dataset, u64)> {
        let datasets = self.datasets();
        let seeds = self.scale.seeds();
        seeds.iter().flat_map(|&seed| datasets.iter().map(move |&data| (data, seed))).collect()
    }
}

/// The jobs of several items, each once.
pub fn jobs(items: &[Item], scope: Scope) -> Vec<Job> {
    let mut all: Vec<Job> = Vec::new();
    // Seed by seed, so that what is stopped early holds whole comparisons of fewer seeds.
    for (dataset, seed) in scope.pairs() {
        for item in items {
            for job in item_jobs(*item, scope, dataset, seed) {
                if !all.iter().any(|known| known.name == job.name) {
                    all.push(job);
                }
            }
        }
    }
    all
}

/// The jobs of one item on one dataset with one seed.
fn item_jobs(item: Item, scope: Scope, dataset: Dataset, seed: u64) -> Vec<Job> {
    let scale = scope.scale;
    let search = |method| Job::search(method, dataset, seed);
    let picked = |method| {
        let candidates = Job::candidates(scale, method, dataset, seed);
        [vec![search(method)], candidates].concat()
    };
    let found = |method| {
        let last = Job::found(scale, method, dataset, seed);
        [picked(method), vec![last]].concat()
    };
    let usual = || found(Method::Controller);
    match item {
        Item::Fig3 => picked(Method::Controller),
        Item::Fig4 => usual(),
        Item::Table1 => [usual(), vec![Job::baseline(dataset, seed)]].concat(),
        Item::Fig6 => {
            let of = |rank| Job::candidate(Method::Controller, rank, dataset, seed);
            [vec![search(Method::Controller)], (1..=3).map(of).collect()].concat()
        }
        Item::Table2 | Item::Fig5 => {
            let to = transfer_dataset(scale, scope.stl10);
            let transfer = Job::transfer(scale, dataset, to, seed);
            [picked(Method::Controller), vec![transfer]].concat()
        }
        Item::Fig7 => {
            let short = (0..scale.sizes().proxies).map(|i| Job::random(i, dataset, seed));
            let drawn = (0..scale.sizes().drawn).map(|i| Job::drawn(i, dataset, seed));
            std::iter::once(search(Method::Controller)).chain(short).chain(drawn).collect()
        }
        Item::Fig8 => [found(Method::Inception), found(Method::Frechet)].concat(),
        Item::Fig9 => [found(Method::with_reset(scale)), found(Method::NoReset)].concat(),
        Item::Fig10 => [usual(), found(Method::Single)].concat(),
        Item::Random => [
            [usual(), found(Method::Uniform)].concat(),
            Job::scratch(scale, dataset, seed),
            Job::scratch_candidates(scale, dataset, seed),
            vec![Job::scratch_found(scale, dataset, seed), Job::baseline(dataset, seed)],
        ]
        .concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(scale: Scale) -> Scope {
        Scope { scale, cifar10: true, stl10: false }
    }

    #[test]
    fn jobs_come_after_what_they_need_and_once() {
        for scale in Scale::ALL {
            let jobs = jobs(&Item::ALL, scope(scale));
            for (place, job) in jobs.iter().enumerate() {
                for wanted in job.needs() {
                    let before = jobs[..place].iter().any(|other| other.name == wanted);
                    assert!(before, "{} needs {wanted} before it", job.name);
                }
                assert_eq!(jobs.iter().filter(|other| other.name == job.name).count(), 1);
            }
        }
    }

    #[test]
    fn experiments_share_jobs() {
        let count = |items: &[Item]| jobs(items, scope(Scale::Small)).len();
        assert_eq!(
            count(&[Item::Fig10]),
            10 * 6,
            "two searches, three candidates of each, two trainings; two datasets, three seeds"
        );
        let apart = count(&[Item::Fig7]) + count(&[Item::Random]);
        // The usual search and four of the short trainings are in both.
        assert_eq!(count(&[Item::Fig7, Item::Random]), apart - 5 * 6);
    }

    #[test]
    fn without_files_cifar10_is_left_out_but_for_the_full_size() {
        let without = |scale| Scope { cifar10: false, ..scope(scale) }.datasets();
        assert_eq!(without(Scale::Small), [Dataset::Shapes]);
        assert_eq!(without(Scale::Full), [Dataset::Cifar10]);
    }
}
