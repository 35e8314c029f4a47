//! A [`Space`] holds the points that a strategy chooses from: one choice for each token.

use std::collections::HashMap;

use autogan_space::{Arch, Budget, CellArch, TokenKind, TokenOrder, stage_tokens};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::error::{Result, StrategyError};

/// One choice for each token of a [`Space`], each below [`Token::choices`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Point(pub Vec<u8>);

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it decides, such as `cell 2: upsampling`.
    pub name: String,
    /// The names of its choices; two or more.
    pub choices: Vec<String>,
    /// The token of the controller, where the space is AutoGAN's.
    pub kind: Option<TokenKind>,
}

/// All points, or those of a list.
#[derive(Clone, Debug)]
pub struct Space {
    tokens: Vec<Token>,
    /// Cells of the architectures that the points stand for; 0 where they stand for something else.
    cells: usize,
    listed: Option<Listed>,
}

#[derive(Clone, Debug)]
struct Listed {
    points: Vec<Point>,
    places: HashMap<Point, usize>,
}

impl Space {
    /// AutoGAN's space of architectures with so many cells, 1 to 3: the tokens of the released order, cell by cell.
    pub fn of_archs(cells: usize) -> Self {
        let tokens = (0..cells).flat_map(|stage| {
            stage_tokens(stage, TokenOrder::Released).into_iter().map(move |kind| Token {
                name: format!("cell {}: {}", stage + 1, kind.name()),
                choices: (0..kind.choices()).map(|choice| kind.choice_name(choice)).collect(),
                kind: Some(kind),
            })
        });
        Self { tokens: tokens.collect(), cells, listed: None }
    }

    /// A space of other tokens.
    pub fn of_tokens(tokens: Vec<Token>) -> Self {
        Self { tokens, cells: 0, listed: None }
    }

    /// This space with no other points than these. A list of all points is the whole space.
    ///
    /// # Errors
    /// When the list is empty, or a point is not of the space.
    pub fn only(self, mut points: Vec<Point>) -> Result<Self> {
        points.sort();
        points.dedup();
        if points.is_empty() {
            return Err(problem("points", "one or more".into(), "none".into()));
        }
        if let Some(point) = points.iter().find(|point| !self.contains(point)) {
            let sizes: Vec<usize> = self.tokens.iter().map(|token| token.choices.len()).collect();
            return Err(problem(
                "a point",
                format!("choices below {sizes:?}"),
                format!("{:?}", point.0),
            ));
        }
        if self.product() == Some(points.len()) {
            return Ok(Self { listed: None, ..self });
        }
        let places = points.iter().cloned().enumerate().map(|(at, point)| (point, at)).collect();
        Ok(Self { listed: Some(Listed { points, places }), ..self })
    }

    /// The tokens.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether the points are those of a list, which leaves some out.
    pub fn is_listed(&self) -> bool {
        self.listed.is_some()
    }

    /// The number of points; [`usize::MAX`] where there are more.
    pub fn count(&self) -> usize {
        match &self.listed {
            Some(listed) => listed.points.len(),
            None => self.product().unwrap_or(usize::MAX),
        }
    }

    /// How many ways there are to choose for each token; `None` where a `usize` cannot hold it.
    fn product(&self) -> Option<usize> {
        let mut sizes = self.tokens.iter().map(|token| token.choices.len());
        sizes.try_fold(1_usize, usize::checked_mul)
    }

    /// The point with this index, from 0 to below [`Space::count`]; the last token runs fastest.
    pub fn at(&self, index: usize) -> Point {
        if let Some(listed) = &self.listed {
            return listed.points[index].clone();
        }
        let mut rest = index;
        let mut choices: Vec<u8> = self
            .tokens
            .iter()
            .rev()
            .map(|token| {
                let choice = rest % token.choices.len();
                rest /= token.choices.len();
                choice as u8
            })
            .collect();
        choices.reverse();
        Point(choices)
    }

    /// The architectures of so many cells that a budget allows.
    ///
    /// # Errors
    /// When it allows none.
    pub fn allowed(cells: usize, budget: &Budget) -> Result<Self> {
        let space = Self::of_archs(cells);
        if !budget.is_limited() {
            return Ok(space);
        }
        let archs = Arch::enumerate(cells - 1).filter(|arch| budget.allows(arch));
        let points = archs.filter_map(|arch| space.point(&arch)).collect();
        space.only(points)
    }

    /// Whether a point is one of this space.
    pub fn contains(&self, point: &Point) -> bool {
        self.listed.as_ref().map_or_else(|| self.fits(point), |l| l.places.contains_key(point))
    }

    /// A point, each as likely as any other.
    pub fn draw(&self, rng: &mut impl Rng) -> Point {
        if self.listed.is_none() && self.product().is_none() {
            let choice = |token: &Token| rng.random_range(0..token.choices.len()) as u8;
            return Point(self.tokens.iter().map(choice).collect());
        }
        self.at(rng.random_range(0..self.count()))
    }

    /// The points that differ in one token, in a fixed order.
    pub fn neighbours(&self, point: &Point) -> Vec<Point> {
        let mut neighbours = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            for choice in (0..token.choices.len() as u8).filter(|&choice| choice != point.0[at]) {
                let mut other = point.clone();
                other.0[at] = choice;
                if self.contains(&other) {
                    neighbours.push(other);
                }
            }
        }
        neighbours
    }

    /// The architecture that a point stands for; `None` where the points stand for something else.
    pub fn arch(&self, point: &Point) -> Option<Arch> {
        let mut cells = Vec::new();
        let mut rest: &[u8] = &point.0;
        for stage in 0..self.cells {
            let count = stage_tokens(stage, TokenOrder::Released).len();
            let (choices, others) = rest.split_at_checked(count)?;
            let choices: Vec<usize> = choices.iter().map(|&choice| choice.into()).collect();
            cells.push(CellArch::from_tokens(stage, TokenOrder::Released, &choices).ok()?);
            rest = others;
        }
        Arch::new(cells).ok()
    }

    /// The point that stands for an architecture; `None` when it is not of this space.
    pub fn point(&self, arch: &Arch) -> Option<Point> {
        let tokens = arch.cells().iter().flat_map(|cell| cell.to_tokens(TokenOrder::Released));
        let point = Point(tokens.map(|choice| choice as u8).collect());
        (arch.cells().len() == self.cells && self.contains(&point)).then_some(point)
    }

    fn fits(&self, point: &Point) -> bool {
        point.0.len() == self.tokens.len()
            && point.0.iter().zip(&self.tokens).all(|(&c, t)| usize::from(c) < t.choices.len())
    }
}

fn problem(what: &'static str, expected: String, found: String) -> StrategyError {
    StrategyError::Problem { what, expected, found }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn points_are_architectures_one_to_one() {
        for (cells, count) in [(1, 36), (2, 2_592)] {
            let space = Space::of_archs(cells);
            assert_eq!(space.count(), count);
            let archs: HashSet<Arch> =
                (0..count).filter_map(|at| space.arch(&space.at(at))).collect();
            assert_eq!(archs.len(), count);
            for at in 0..count {
                let point = space.at(at);
                assert_eq!(space.point(&space.arch(&point).unwrap()), Some(point));
            }
        }
        assert_eq!(Space::of_archs(3).count(), 373_248);
        assert_eq!(Space::of_archs(2).point(&Arch::AUTOGAN_A), None);
    }

    #[test]
    fn neighbours_differ_in_one_token() {
        let space = Space::of_archs(2);
        let point = space.at(1_234);
        let neighbours = space.neighbours(&point);
        // Of a cell: convolution 1, norm 2, upsampling 2, shortcut 1; of the second also its skip 1.
        assert_eq!(neighbours.len(), 6 + 7);
        for other in &neighbours {
            assert_eq!(other.0.iter().zip(&point.0).filter(|(a, b)| a != b).count(), 1);
        }
    }

    #[test]
    fn a_space_of_too_many_points_to_count_can_be_drawn_from() {
        let choices: Vec<String> = (0..4).map(|choice| choice.to_string()).collect();
        let token = Token { name: "t".into(), choices, kind: None };
        let space = Space::of_tokens(vec![token; 40]);
        assert_eq!((space.count(), space.is_listed()), (usize::MAX, false));
        assert_eq!(space.choices_after(&[1]), None);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut seen = [[false; 4]; 40];
        for _ in 0..99 {
            let point = space.draw(&mut rng);
            assert!(space.contains(&point));
            seen.iter_mut().zip(&point.0).for_each(|(seen, c)| seen[usize::from(*c)] = true);
        }
        assert!(seen.iter().flatten().all(|seen| *seen), "each choice of each token is drawn");
    }

    #[test]
    fn a_list_of_all_points_is_the_whole_space() {
        let all = Space::of_archs(1);
        let points = (0..36).rev().map(|at| all.at(at)).collect();
        let same = all.clone().only(points).unwrap();
        assert!(!same.is_listed() && same.count() == 36 && same.at(7) == all.at(7));
        let some = all.clone().only(vec![all.at(3), all.at(5)]).unwrap();
        assert!(some.is_listed());
        // What the list left out does not come back.
        assert!(some.only(vec![all.at(4)]).is_err());
    }

    #[test]
    fn a_list_leaves_its_points_alone() {
        let all = Space::of_archs(1);
        let some: Vec<Point> = [3, 5, 30, 5].map(|at| all.at(at)).to_vec();
        let space = all.clone().only(some.clone()).unwrap();
        assert_eq!(space.count(), 3);
        assert!(space.contains(&some[2]) && !space.contains(&all.at(4)));
        assert!(space.neighbours(&some[0]).iter().all(|point| space.contains(point)));
        assert!(all.clone().only(vec![]).unwrap_err().to_string().contains("one or more"));
        assert!(
            all.only(vec![Point(vec![9, 0, 0, 0])])
                .unwrap_err()
                .to_string()
                .contains("[9, 0, 0, 0]")
        );
    }
}
