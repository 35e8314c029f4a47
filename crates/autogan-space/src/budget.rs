//! A [`Budget`] limits what an architecture may cost; allowed architectures are counted, listed in order, drawn evenly.
//!
//! A budget holds for the whole generator of [`MAX_CELLS`] cells, at the side of the last stage. An architecture of
//! fewer cells is allowed when cells can follow with which it stays within; the cheapest cell for a place has the fewest
//! parameters and the fewest multiply-accumulates at once, so that this is one comparison.

use rand::{Rng, RngExt};

use crate::cost::{cell_cost, ends};
use crate::{Arch, CellArch, Cost, GeneratorShape, MAX_CELLS, Result, SpaceError, count_archs};

/// Limits on parameters and multiply-accumulates of the derived generator, for generators of given sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    shape: GeneratorShape,
    /// The limits; the largest number where there is none.
    most: Cost,
    /// The linear layer and the output head.
    ends: Cost,
    /// The cost of every cell for every place, in the order of [`CellArch::enumerate`].
    costs: [Vec<Cost>; MAX_CELLS],
    /// The least that the cells from a place on cost.
    rest: [Cost; MAX_CELLS + 1],
    counts: [u64; MAX_CELLS],
}

impl Budget {
    /// A budget of at most `params` trained parameters and `macs` multiply-accumulates of an image; `None` is no limit.
    ///
    /// # Errors
    /// [`SpaceError::Budget`] with the smallest feasible value, when no architecture stays within a limit.
    pub fn new(shape: GeneratorShape, params: Option<u64>, macs: Option<u64>) -> Result<Self> {
        let costs: [Vec<Cost>; MAX_CELLS] = std::array::from_fn(|index| {
            CellArch::enumerate(index).map(|cell| cell_cost(&cell, &shape).total()).collect()
        });
        let mut rest = [Cost::ZERO; MAX_CELLS + 1];
        for (index, costs) in costs.iter().enumerate().rev() {
            rest[index] = rest[index + 1] + least(costs);
        }
        let most = Cost { params: params.unwrap_or(u64::MAX), macs: macs.unwrap_or(u64::MAX) };
        let ends = ends(MAX_CELLS - 1, &shape);
        let cheapest = ends + rest[0];
        for (what, least, found) in [
            ("parameters", cheapest.params, most.params),
            ("multiply-accumulates", cheapest.macs, most.macs),
        ] {
            if found < least {
                return Err(SpaceError::Budget { what, least, found });
            }
        }
        let mut budget = Self { shape, most, ends, costs, rest, counts: [0; MAX_CELLS] };
        budget.counts = std::array::from_fn(|stage| match budget.is_limited() {
            true => budget.count_after(0, stage, budget.ends),
            false => count_archs(stage),
        });
        Ok(budget)
    }

    /// Whether there is a limit at all.
    pub fn is_limited(&self) -> bool {
        self.most != Cost { params: u64::MAX, macs: u64::MAX }
    }

    /// Whether a generator that begins with these cells can stay within; with all of them, whether it does.
    pub fn allows(&self, arch: &Arch) -> bool {
        self.fits(self.spent(arch.cells()), arch.cells().len())
    }

    /// The cells that may follow `cells`, ordered as their released vectors; none after the last place.
    pub fn cells_after(&self, cells: &[CellArch]) -> Vec<CellArch> {
        let (index, spent) = (cells.len(), self.spent(cells));
        let Some(costs) = self.costs.get(index) else { return Vec::new() };
        let affordable = |(cell, &cost)| self.fits(spent + cost, index + 1).then_some(cell);
        CellArch::enumerate(index).zip(costs).filter_map(affordable).collect()
    }

    /// The number of architectures of a stage (from 0) that are allowed; 0 past the last stage.
    pub fn count(&self, stage: usize) -> u64 {
        self.counts.get(stage).copied().unwrap_or(0)
    }

    /// The `n`-th of the [`Budget::count`]`(stage)` allowed architectures, ordered as their released vectors; `None` past
    /// the end.
    pub fn nth(&self, stage: usize, n: u64) -> Option<Arch> {
        if !self.is_limited() {
            return Arch::nth(stage, n);
        }
        if n >= self.count(stage) {
            return None;
        }
        let mut left = n;
        let mut cells = Vec::with_capacity(stage + 1);
        let mut spent = self.ends;
        for index in 0..=stage {
            let costs = self.costs.get(index)?;
            let place = costs.iter().position(|&cost| {
                let under = match self.fits(spent + cost, index + 1) {
                    true => self.count_after(index + 1, stage, spent + cost),
                    false => 0,
                };
                let here = left < under;
                left -= if here { 0 } else { under };
                here
            })?;
            spent += costs[place];
            cells.push(CellArch::nth(index, place as u64)?);
        }
        Arch::new(cells).ok()
    }

    /// An allowed architecture of a stage, every one as likely as any other; without limits what [`Arch::random`] draws.
    ///
    /// # Errors
    /// When `stage` is not below [`MAX_CELLS`].
    pub fn random(&self, stage: usize, rng: &mut (impl Rng + ?Sized)) -> Result<Arch> {
        let past_the_end = SpaceError::Cells { found: stage + 1 };
        if stage >= MAX_CELLS {
            return Err(past_the_end);
        }
        let n = rng.random_range(0..self.count(stage));
        self.nth(stage, n).ok_or(past_the_end)
    }

    /// The cost of the cells together with the layers around them.
    fn spent(&self, cells: &[CellArch]) -> Cost {
        self.ends + cells.iter().map(|cell| cell_cost(cell, &self.shape).total()).sum()
    }

    /// Whether a generator whose first `cells` cells and ends cost `spent` can stay within.
    fn fits(&self, spent: Cost, cells: usize) -> bool {
        let least = spent + self.rest[cells];
        least.params <= self.most.params && least.macs <= self.most.macs
    }

    /// The number of allowed continuations to `stage` of `index` cells that are allowed and cost `spent`.
    fn count_after(&self, index: usize, stage: usize, spent: Cost) -> u64 {
        if index > stage {
            return 1;
        }
        let affordable = self.costs[index].iter().map(|&cost| spent + cost);
        let affordable = affordable.filter(|&spent| self.fits(spent, index + 1));
        affordable.map(|spent| self.count_after(index + 1, stage, spent)).sum()
    }
}

/// The fewest parameters and the fewest multiply-accumulates.
fn least(costs: &[Cost]) -> Cost {
    let of = |part: fn(&Cost) -> u64| costs.iter().map(part).min().unwrap_or(0);
    Cost { params: of(|cost| cost.params), macs: of(|cost| cost.macs) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::derived_generator_cost;

    const SMALL: GeneratorShape = GeneratorShape { latent: 8, width: 6, bottom: 4 };

    /// Limits at a share of the way from the cheapest generator to the dearest.
    fn budget(params: Option<f64>, macs: Option<f64>) -> Budget {
        let costs: Vec<Cost> =
            Arch::enumerate(2).map(|a| derived_generator_cost(&a, &SMALL)).collect();
        let at = |share: f64, part: fn(&Cost) -> u64| {
            let (low, high) =
                (costs.iter().map(part).min().unwrap(), costs.iter().map(part).max().unwrap());
            low + ((high - low) as f64 * share) as u64
        };
        let (params, macs) = (params.map(|s| at(s, |c| c.params)), macs.map(|s| at(s, |c| c.macs)));
        Budget::new(SMALL, params, macs).unwrap()
    }

    #[test]
    fn one_cell_for_a_place_is_the_cheapest_in_both_parts() {
        for index in 0..MAX_CELLS {
            let costs: Vec<Cost> =
                CellArch::enumerate(index).map(|c| cell_cost(&c, &SMALL).total()).collect();
            assert!(costs.contains(&least(&costs)), "no cell {} has both", index + 1);
        }
    }

    #[test]
    fn allowed_is_what_can_be_completed() {
        for budget in
            [budget(Some(0.1), None), budget(None, Some(0.05)), budget(Some(0.3), Some(0.1))]
        {
            let within = |arch: &Arch| {
                let cost = derived_generator_cost(arch, &SMALL);
                cost.params <= budget.most.params && cost.macs <= budget.most.macs
            };
            let whole: Vec<Arch> = Arch::enumerate(2).filter(within).collect();
            assert!(!whole.is_empty() && (whole.len() as u64) < crate::count_all());
            for stage in 0..MAX_CELLS {
                let mut expected: Vec<Arch> = whole.iter().map(|a| a.prefix(stage + 1)).collect();
                expected.dedup();
                let allowed: Vec<Arch> =
                    Arch::enumerate(stage).filter(|a| budget.allows(a)).collect();
                assert!(allowed == expected, "stage {stage}");
                assert_eq!(budget.count(stage), expected.len() as u64);
                let last = expected.len() - 1;
                for n in [0, last / 3, last / 2, last] {
                    assert_eq!(budget.nth(stage, n as u64).as_ref(), Some(&expected[n]));
                }
                assert_eq!(budget.nth(stage, last as u64 + 1), None);
            }
            let prefix = whole[whole.len() / 2].prefix(2);
            let mut next: Vec<CellArch> =
                whole.iter().filter(|a| a.prefix(2) == prefix).map(|a| a.cells()[2]).collect();
            next.dedup();
            assert_eq!(budget.cells_after(prefix.cells()), next);
            assert!(budget.cells_after(whole[0].cells()).is_empty());
        }
    }

    #[test]
    fn without_limits_everything_is_drawn_as_before() {
        let free = budget(None, None);
        assert!(!free.is_limited());
        assert_eq!([0, 1, 2, 3].map(|s| free.count(s)), [36, 2_592, 373_248, 0]);
        let rng = || ChaCha8Rng::seed_from_u64(4);
        let (mut a, mut b) = (rng(), rng());
        for stage in [0, 1, 2, 2, 2] {
            assert_eq!(free.random(stage, &mut a), Arch::random(stage, &mut b));
        }
        assert!(free.random(3, &mut a).is_err());
    }

    #[test]
    fn draws_are_even_among_the_allowed() {
        let tight = budget(Some(0.02), Some(0.02));
        let n = tight.count(1);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut seen = std::collections::BTreeMap::new();
        let rounds = 200 * n;
        for _ in 0..rounds {
            let arch = tight.random(1, &mut rng).unwrap();
            assert!(tight.allows(&arch));
            *seen.entry(arch).or_insert(0) += 1;
        }
        assert_eq!(seen.len() as u64, n);
        // 200 expected each, standard deviation 14.
        assert!(seen.values().all(|&k| (130..270).contains(&k)), "{seen:?}");
    }

    #[test]
    fn what_nothing_meets_is_refused_with_the_smallest_that_something_does() {
        let least = Arch::enumerate(2).map(|a| derived_generator_cost(&a, &SMALL));
        let (params, macs) =
            least.fold((u64::MAX, u64::MAX), |(p, m), c| (p.min(c.params), m.min(c.macs)));
        assert!(Budget::new(SMALL, Some(params), Some(macs)).is_ok());
        let error = Budget::new(SMALL, Some(params - 1), None).unwrap_err();
        assert_eq!(
            error,
            SpaceError::Budget { what: "parameters", least: params, found: params - 1 }
        );
        let error = Budget::new(SMALL, None, Some(1)).unwrap_err().to_string();
        assert!(error.contains(&format!("at least {macs} multiply-accumulates")), "{error}");
    }
}
