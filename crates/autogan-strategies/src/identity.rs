//! [`Identity`] is what a saved state says of its problem, so that a state of another problem is refused.

use serde::{Deserialize, Serialize};

use crate::error::{Result, StrategyError};
use crate::space::Space;
use crate::strategy::{Fidelity, Problem};

/// The tokens, the points, the fidelities and the budget of a problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    /// The name of each token, and the number of its choices.
    tokens: Vec<(String, usize)>,
    points: usize,
    /// A hash of the points, where the space is a list of them.
    list: Option<u64>,
    fidelities: Vec<Fidelity>,
    budget: f64,
}

impl Identity {
    pub fn of(problem: &Problem) -> Self {
        let Problem { space, fidelities, budget } = problem;
        let tokens = space.tokens().iter();
        Self {
            tokens: tokens.map(|token| (token.name.clone(), token.choices.len())).collect(),
            points: space.count(),
            list: space.is_listed().then(|| hash(space)),
            fidelities: fidelities.clone(),
            budget: *budget,
        }
    }

    /// Refuses another problem than the one of this identity.
    ///
    /// # Errors
    /// When the problem is another one: the first thing that differs.
    pub fn check(&self, problem: &Problem) -> Result<()> {
        let here = Self::of(problem);
        if *self == here {
            return Ok(());
        }
        let token = |(name, choices): &(String, usize)| format!("'{name}' with {choices} choices");
        let fidelity = |f: &Fidelity| {
            let kind = if f.continues { "a length" } else { "no length" };
            format!("'{}' at the cost {}, {kind} of a training", f.name, f.cost)
        };
        let differing = in_lists("token", &self.tokens, &here.tokens, token)
            .or_else(|| in_one("number of points", &self.points, &here.points))
            .or_else(|| in_lists("fidelity", &self.fidelities, &here.fidelities, fidelity))
            .or_else(|| in_one("budget", &self.budget, &here.budget));
        let list = || ("the list of points".into(), "another one".into(), "this one".into());
        let (what, found, expected) = differing.unwrap_or_else(list);
        Err(StrategyError::OtherProblem { what, found, expected })
    }
}

/// What differs, what it is there, and what it is here.
type Differing = (String, String, String);

fn in_one<T: PartialEq + ToString>(what: &str, there: &T, here: &T) -> Option<Differing> {
    (there != here).then(|| (format!("the {what}"), there.to_string(), here.to_string()))
}

/// The first entry that differs; where one list begins as the other does, their lengths.
fn in_lists<T: PartialEq>(
    what: &str,
    there: &[T],
    here: &[T],
    name: impl Fn(&T) -> String,
) -> Option<Differing> {
    let number = format!("number of {}", if what == "token" { "tokens" } else { "fidelities" });
    let entries = (1..).zip(there.iter().zip(here)).find(|(_, (there, here))| there != here);
    let entry =
        entries.map(|(at, (there, here))| (format!("{what} {at}"), name(there), name(here)));
    in_one(&number, &there.len(), &here.len()).or(entry)
}

/// The FNV-1a hash of all points, one after the other, which is the same in every build.
fn hash(space: &Space) -> u64 {
    let points = (0..space.count()).map(|at| space.at(at));
    points.flat_map(|point| point.0).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, WHOLE, problem};

    fn refusal(there: &Problem, here: &Problem) -> String {
        Identity::of(there).check(here).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_what_differs() {
        let of = |cells, fidelities| problem(Space::of_archs(cells), fidelities, 20.0);
        let one = of(2, LENGTHS);
        Identity::of(&one).check(&one.clone()).unwrap();
        let text = refusal(&of(1, LENGTHS), &one);
        assert!(text.contains("the number of tokens is 4 there, and 9 here"), "{text}");
        let text = refusal(&one, &of(2, &[(1.0, true), (2.0, true), (9.0, true)]));
        assert!(text.contains("fidelity 2 is 'cost 3' at the cost 3, a length of"), "{text}");
        let text = refusal(&one, &of(2, WHOLE));
        assert!(text.contains("the number of fidelities is 3 there, and 1 here"), "{text}");
        let text = refusal(&one, &Problem { budget: 21.5, ..one.clone() });
        assert!(text.contains("the budget is 180 there, and 21.5 here"), "{text}");
    }

    #[test]
    fn lists_of_the_same_length_differ_by_their_points() {
        let all = problem(Space::of_archs(1), WHOLE, 20.0);
        let some = |places: [usize; 3]| {
            let space = all.space.clone().only(places.map(|at| all.space.at(at)).to_vec()).unwrap();
            Problem { space, ..all.clone() }
        };
        Identity::of(&some([3, 4, 9])).check(&some([9, 3, 4])).unwrap();
        let text = refusal(&some([3, 4, 9]), &some([3, 4, 8]));
        assert!(text.contains("the list of points"), "{text}");
        let text = refusal(&some([3, 4, 9]), &all);
        assert!(text.contains("the number of points is 3 there, and 36 here"), "{text}");
    }
}
