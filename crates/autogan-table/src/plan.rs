//! [`plan`] lists the trainings of the table.

use autogan_space::{Arch, CellArch, MAX_CELLS, TokenOrder, stage_tokens};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// After how many iterations a training is scored, as far as it goes.
pub const LENGTHS: [u64; 4] = [75, 150, 300, 600];

/// The lengths that every training has; most end with the last of them.
pub const USUAL_LENGTHS: [u64; 3] = [75, 150, 300];

/// Iterations of most trainings, and of the long ones.
pub(crate) const USUAL: u64 = USUAL_LENGTHS[2];
const LONG: u64 = 600;

/// Processor seconds that [`USUAL`] iterations take, by cells, as measured on one thread of an AMD EPYC.
const SECONDS: [f64; MAX_CELLS] = [2.5, 7.3, 22.0];

/// What the random order of the architectures follows from.
const ORDER_SEED: u64 = 101;

/// Architectures of three cells in the table.
const THREE_CELLS: usize = 600;

/// A training of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The architecture.
    pub arch: Arch,
    /// The seed of the training.
    pub seed: u64,
    /// How many iterations it has, one of [`LENGTHS`].
    pub iterations: u64,
}

/// Some trainings of one side and one seed, which are kept in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The name of the file without its ending, such as `cells2-seed0-017`.
    pub name: String,
    /// The trainings, in their order.
    pub trainings: Vec<Planned>,
}

/// A group of trainings with one seed: the first so many architectures of one number of cells.
struct Block {
    cells: usize,
    seed: u64,
    archs: usize,
    /// The first so many are long.
    long: usize,
}

/// About how many processor seconds of one thread a training of so many cells (1 to 3) takes; NaN for other cells.
pub fn expected_seconds(cells: usize, iterations: u64) -> f64 {
    let whole = cells.checked_sub(1).and_then(|at| SECONDS.get(at)).copied().unwrap_or(f64::NAN);
    whole * iterations as f64 / USUAL as f64
}

/// Every training of the table.
///
/// - One cell: all 36 architectures with 5 seeds, all of them long.
/// - Two cells: all 2,592 with 2 seeds, 300 of them with 3 more; 100 of these are long with all 5 seeds.
/// - Three cells: 600 of the 373,248 with 1 seed, 100 of them with 4 more. Each choice of each token is in
///   equally many.
///
/// The order is random and mixed: the first tenth of the shards is a sample of the whole.
pub fn plan() -> Vec<Shard> {
    let archs = [shuffled(0), shuffled(1), stratified(THREE_CELLS)];
    let mut placed = Vec::new();
    for block in blocks() {
        let size = if block.cells == MAX_CELLS { 12 } else { 24 };
        let shards = block.shards(&archs[block.cells - 1], size);
        let count = shards.len() as f64;
        let place = |(at, shard)| ((at as f64 + 0.5) / count, shard);
        placed.extend(shards.into_iter().enumerate().map(place));
    }
    // A stable sort: shards at one place stay in the order of their blocks.
    placed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    placed.into_iter().map(|(_, shard)| shard).collect()
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for seed in 0..5 {
        blocks.push(Block { cells: 1, seed, archs: 36, long: 36 });
        let archs = if seed < 2 { 2_592 } else { 300 };
        blocks.push(Block { cells: 2, seed, archs, long: 100 });
        let archs = if seed < 1 { THREE_CELLS } else { 100 };
        blocks.push(Block { cells: 3, seed, archs, long: 0 });
    }
    blocks
}

impl Block {
    fn shards(&self, order: &[Arch], size: usize) -> Vec<Shard> {
        let Block { cells, seed, archs, long } = *self;
        let training = |(at, arch): (usize, &Arch)| Planned {
            arch: arch.clone(),
            seed,
            iterations: if at < long { LONG } else { USUAL },
        };
        let all: Vec<Planned> = order.iter().take(archs).enumerate().map(training).collect();
        let shard = |(at, part): (usize, &[Planned])| Shard {
            name: format!("cells{cells}-seed{seed}-{at:03}"),
            trainings: part.to_vec(),
        };
        all.chunks(size).enumerate().map(shard).collect()
    }
}

/// All architectures of a stage in the table's order.
fn shuffled(stage: usize) -> Vec<Arch> {
    let mut archs: Vec<Arch> = Arch::enumerate(stage).collect();
    archs.shuffle(&mut ChaCha8Rng::seed_from_u64(ORDER_SEED + stage as u64));
    archs
}

/// `n` different architectures of three cells, such that each choice of each token is in equally many of them.
fn stratified(n: usize) -> Vec<Arch> {
    let mut rng = ChaCha8Rng::seed_from_u64(ORDER_SEED + MAX_CELLS as u64);
    loop {
        let cells: Vec<Vec<CellArch>> =
            (0..MAX_CELLS).map(|stage| balanced_cells(stage, n, &mut rng)).collect();
        let archs: Vec<Arch> = (0..n)
            .filter_map(|at| Arch::new(cells.iter().map(|column| column[at]).collect()).ok())
            .collect();
        let different: std::collections::HashSet<&Arch> = archs.iter().collect();
        if different.len() == n {
            return archs;
        }
    }
}

/// `n` cells of a stage: each token's choices come equally often, in an order of their own.
fn balanced_cells(stage: usize, n: usize, rng: &mut ChaCha8Rng) -> Vec<CellArch> {
    let order = TokenOrder::Released;
    let columns: Vec<Vec<usize>> = stage_tokens(stage, order)
        .into_iter()
        .map(|token| {
            let mut column: Vec<usize> = (0..n).map(|at| at % token.choices()).collect();
            column.shuffle(rng);
            column
        })
        .collect();
    (0..n)
        .filter_map(|at| {
            let tokens: Vec<usize> = columns.iter().map(|column| column[at]).collect();
            CellArch::from_tokens(stage, order, &tokens).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn the_plan_has_the_sizes_that_it_promises() {
        let shards = plan();
        let names: HashSet<&String> = shards.iter().map(|shard| &shard.name).collect();
        assert_eq!(names.len(), shards.len());
        let all: Vec<&Planned> = shards.iter().flat_map(|shard| &shard.trainings).collect();
        let unique: HashSet<(String, u64)> =
            all.iter().map(|t| (t.arch.to_string(), t.seed)).collect();
        assert_eq!(unique.len(), all.len());
        let count = |cells: usize, test: &dyn Fn(&Planned) -> bool| {
            all.iter().filter(|t| t.arch.cells().len() == cells && test(t)).count()
        };
        assert_eq!([1, 2, 3].map(|cells| count(cells, &|_| true)), [180, 6_084, 1_000]);
        assert_eq!([1, 2, 3].map(|cells| count(cells, &|t| t.iterations == LONG)), [180, 500, 0]);
        assert_eq!(
            [0, 1, 2, 3, 4].map(|seed| count(2, &|t| t.seed == seed)),
            [2592, 2592, 300, 300, 300]
        );
        assert_eq!([0, 1, 4].map(|seed| count(3, &|t| t.seed == seed)), [600, 100, 100]);
        assert!(
            shards
                .iter()
                .all(|shard| shard.trainings.iter().all(|t| t.seed == shard.trainings[0].seed))
        );
    }

    #[test]
    fn time_is_expected_in_proportion_to_the_length() {
        assert_eq!([1, 2, 3].map(|cells| expected_seconds(cells, 300)), [2.5, 7.3, 22.0]);
        assert_eq!(expected_seconds(1, 75), 0.625);
        assert!(expected_seconds(0, 75).is_nan() && expected_seconds(4, 75).is_nan());
    }

    #[test]
    fn what_has_more_seeds_is_part_of_what_has_fewer() {
        let shards = plan();
        let of = |cells: usize, seed: u64| -> HashSet<&Arch> {
            let all = shards.iter().flat_map(|shard| &shard.trainings);
            all.filter(|t| t.arch.cells().len() == cells && t.seed == seed)
                .map(|t| &t.arch)
                .collect()
        };
        for cells in [2, 3] {
            assert_eq!(of(cells, 3), of(cells, 4));
            assert!(of(cells, 4).is_subset(&of(cells, 0)));
        }
    }

    #[test]
    fn three_cells_are_balanced() {
        let archs = stratified(THREE_CELLS);
        for stage in 0..MAX_CELLS {
            for (at, token) in stage_tokens(stage, TokenOrder::Released).into_iter().enumerate() {
                let mut counts: HashMap<usize, usize> = HashMap::new();
                for arch in &archs {
                    let tokens = arch.cells()[stage].to_tokens(TokenOrder::Released);
                    *counts.entry(tokens[at]).or_default() += 1;
                }
                assert_eq!(counts.len(), token.choices());
                assert!(counts.values().all(|&n| n == THREE_CELLS / token.choices()), "{counts:?}");
            }
        }
    }

    #[test]
    fn the_first_tenth_is_a_sample_of_the_whole() {
        let shards = plan();
        let tenth = &shards[..shards.len() / 10];
        let trainings = |cells: usize| {
            let all = tenth.iter().flat_map(|shard| &shard.trainings);
            all.filter(|t| t.arch.cells().len() == cells).count()
        };
        assert!((500..720).contains(&trainings(2)), "{}", trainings(2));
        assert!((80..130).contains(&trainings(3)), "{}", trainings(3));
    }
}
