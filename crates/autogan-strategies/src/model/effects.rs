//! [`Effects`] are a function of points that adds a number for each choice and for each pair of choices, and whose best
//! point is found exactly.

use crate::space::{Point, Space};

/// Main effects and effects of pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct Effects {
    constant: f64,
    main: Vec<Vec<f64>>,
    /// For each two tokens, the first before the second, one number for each two choices; the second's run fastest.
    pairs: Vec<Vec<f64>>,
}

impl Effects {
    /// The function with these effects: of `main[token][choice]`, and of `pairs` in the order (0, 1), (0, 2), …, (1, 2), …,
    /// each with the choices of the second token running fastest.
    pub fn new(constant: f64, main: Vec<Vec<f64>>, pairs: Vec<Vec<f64>>) -> Self {
        Self { constant, main, pairs }
    }

    /// The main effects: for each token, one of each choice.
    pub fn main(&self) -> &[Vec<f64>] {
        &self.main
    }

    /// The value at a point.
    pub fn value(&self, point: &Point) -> f64 {
        let choice = |token: usize| usize::from(point.0[token]);
        let mut sum = self.constant;
        let mut pairs = self.pairs.iter();
        for (one, main) in self.main.iter().enumerate() {
            sum += main[choice(one)];
            for (two, table) in (one + 1..self.main.len()).zip(pairs.by_ref()) {
                sum += table[choice(one) * self.main[two].len() + choice(two)];
            }
        }
        sum
    }

    /// The best of the points that are allowed, and its value.
    ///
    /// It is exact. A list of points is gone through. A whole space is searched by branch and bound: tokens are set in order,
    /// and a branch is left when what is set, plus for each other token the best choice on its own, does not reach the best
    /// point that was found.
    pub fn maximum(&self, space: &Space, allowed: impl Fn(&Point) -> bool) -> Option<(Point, f64)> {
        let found = if space.is_listed() {
            let points = (0..space.count()).map(|at| space.at(at)).filter(|point| allowed(point));
            points.fold(None, |best: Option<(Point, f64)>, point| {
                let value = self.value(&point);
                if best.as_ref().is_none_or(|best| value > best.1) {
                    Some((point, value))
                } else {
                    best
                }
            })
        } else {
            Descent::new(self, &allowed).run()
        };
        found.map(|(point, _)| {
            let value = self.value(&point);
            (point, value)
        })
    }
}

/// A search by branch and bound.
struct Descent<'a, A> {
    effects: &'a Effects,
    allowed: &'a A,
    /// For each token and choice, the most that pairs with later tokens can add.
    reach: Vec<Vec<f64>>,
    /// For each depth, token and choice: the main effect and the pairs with the tokens that are set.
    scores: Vec<Vec<Vec<f64>>>,
    point: Point,
    best: Option<(Point, f64)>,
}

impl<'a, A: Fn(&Point) -> bool> Descent<'a, A> {
    fn new(effects: &'a Effects, allowed: &'a A) -> Self {
        let tokens = effects.main.len();
        let mut pairs = effects.pairs.iter();
        let mut reach: Vec<Vec<f64>> =
            effects.main.iter().map(|main| vec![0.0; main.len()]).collect();
        for (one, reach) in reach.iter_mut().enumerate() {
            for (two, table) in (one + 1..tokens).zip(pairs.by_ref()) {
                let rows = table.chunks(effects.main[two].len());
                for (reach, row) in reach.iter_mut().zip(rows) {
                    *reach += row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                }
            }
        }
        let scores = vec![effects.main.clone(); tokens + 1];
        Self { effects, allowed, reach, scores, point: Point(vec![0; tokens]), best: None }
    }

    fn run(mut self) -> Option<(Point, f64)> {
        self.descend(0, 0, self.effects.constant);
        self.best
    }

    /// Sets the tokens from `depth` on; `table` is the index of that token's first pair, `value` what is set so far.
    fn descend(&mut self, depth: usize, table: usize, value: f64) {
        let tokens = self.effects.main.len();
        if depth == tokens {
            let better = self.best.as_ref().is_none_or(|best| value > best.1);
            if better && (self.allowed)(&self.point) {
                self.best = Some((self.point.clone(), value));
            }
            return;
        }
        let later: f64 = (depth + 1..tokens).map(|token| self.bound(depth, token)).sum();
        let mut choices: Vec<(f64, usize)> = (0..self.effects.main[depth].len())
            .map(|choice| (self.scores[depth][depth][choice] + self.reach[depth][choice], choice))
            .collect();
        choices.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (bound, choice) in choices {
            if self.best.as_ref().is_some_and(|best| value + bound + later <= best.1) {
                return;
            }
            self.point.0[depth] = choice as u8;
            let gained = self.scores[depth][depth][choice];
            let (before, after) = self.scores.split_at_mut(depth + 1);
            for token in depth + 1..tokens {
                let width = self.effects.main[token].len();
                let row = &self.effects.pairs[table + token - depth - 1][choice * width..][..width];
                let from = before[depth][token].iter().zip(row);
                for (to, (score, pair)) in after[0][token].iter_mut().zip(from) {
                    *to = score + pair;
                }
            }
            self.descend(depth + 1, table + tokens - depth - 1, value + gained);
        }
    }

    /// The most that a token that is not set can add, with all pairs between it and later tokens.
    fn bound(&self, depth: usize, token: usize) -> f64 {
        let scores = self.scores[depth][token].iter().zip(&self.reach[token]);
        scores.map(|(score, reach)| score + reach).fold(f64::NEG_INFINITY, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::testing::random_effects;

    /// The best point by going through all.
    fn enumerated(effects: &Effects, space: &Space, taken: &BTreeSet<Point>) -> (Point, f64) {
        let points =
            (0..space.count()).map(|at| space.at(at)).filter(|point| !taken.contains(point));
        let valued = points.map(|point| (effects.value(&point), point));
        let (value, point) = valued.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        (point, value)
    }

    #[test]
    fn the_maximum_is_that_of_an_enumeration() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for (cells, times, pairs) in
            [(1, 40, 1.0), (2, 40, 0.3), (2, 20, 3.0), (3, 2, 0.3), (3, 1, 2.0)]
        {
            let space = Space::of_archs(cells);
            for _ in 0..times {
                let effects = random_effects(&space, pairs, &mut rng);
                let mut taken = BTreeSet::new();
                // The best, the best without it, and so on.
                for _ in 0..3 {
                    let expected = enumerated(&effects, &space, &taken);
                    let found = effects.maximum(&space, |point| !taken.contains(point)).unwrap();
                    assert_eq!(found.0, expected.0);
                    assert!((found.1 - expected.1).abs() < 1e-12);
                    taken.insert(found.0);
                }
            }
        }
    }

    #[test]
    fn the_maximum_of_a_list_is_in_the_list() {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let all = Space::of_archs(2);
        let effects = random_effects(&all, 1.0, &mut rng);
        let points: Vec<Point> = (0..60).map(|_| all.draw(&mut rng)).collect();
        let some = all.only(points).unwrap();
        let expected = enumerated(&effects, &some, &BTreeSet::new());
        assert_eq!(effects.maximum(&some, |_| true), Some(expected));
        assert_eq!(effects.maximum(&some, |_| false), None);
    }
}
