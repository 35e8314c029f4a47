//! [`Listed`] is the rule that keeps a controller to the points of a list.

use autogan_strategies::Space;

use crate::actions::ActionSpace;
use crate::error::{Result, RlError};
use crate::rule::ChoiceRule;

/// The sequences of the points of a space, sorted.
#[derive(Debug)]
pub(crate) struct Listed {
    choices: Vec<usize>,
    sequences: Vec<Vec<usize>>,
}

impl Listed {
    /// The rule of a space of architectures; `None` where all of them are in the space.
    pub fn new(space: &Space, actions: ActionSpace) -> Result<Option<Self>> {
        let choices: Vec<usize> = actions.tokens()?.iter().map(|token| token.choices()).collect();
        if !space.is_listed() {
            return Ok(None);
        }
        let archs = (0..space.count()).filter_map(|at| space.arch(&space.at(at)));
        let mut sequences: Vec<Vec<usize>> =
            archs.map(|arch| actions.encode(&arch)).collect::<Result<_>>()?;
        sequences.sort();
        Ok(Some(Self { choices, sequences }))
    }
}

impl ChoiceRule for Listed {
    fn next(&self, _: usize, actions: &[usize]) -> Result<Option<Vec<bool>>> {
        let Some(&count) = self.choices.get(actions.len()) else { return Ok(None) };
        let from = self.sequences.partition_point(|sequence| sequence.as_slice() < actions);
        let begun = &self.sequences[from..];
        let begun = &begun[..begun.partition_point(|sequence| sequence.starts_with(actions))];
        if begun.is_empty() {
            return Err(RlError::Empty("architecture of the list"));
        }
        let leads = |choice| {
            let at = begun.partition_point(|sequence| sequence[actions.len()] < choice);
            begun.get(at).is_some_and(|sequence| sequence[actions.len()] == choice)
        };
        Ok(Some((0..count).map(leads).collect()))
    }
}

#[cfg(test)]
mod tests {
    use autogan_space::TokenOrder;

    use super::*;

    #[test]
    fn choices_lead_to_points_of_the_list() {
        let actions = ActionSpace::Joint { stage: 1, order: TokenOrder::SkipsFirst };
        let all = Space::of_archs(2);
        assert!(Listed::new(&all, actions).unwrap().is_none());
        let points: Vec<_> = (0..60).map(|at| all.at(at * at % 2_592)).collect();
        let rule =
            Listed::new(&all.clone().only(points.clone()).unwrap(), actions).unwrap().unwrap();
        let sequences: Vec<Vec<usize>> =
            points.iter().map(|point| actions.encode(&all.arch(point).unwrap()).unwrap()).collect();
        for sequence in &sequences {
            for length in 0..sequence.len() {
                let begun = &sequence[..length];
                let allowed = rule.next(0, begun).unwrap().unwrap();
                for (choice, allowed) in allowed.into_iter().enumerate() {
                    let next = [begun, &[choice]].concat();
                    assert_eq!(allowed, sequences.iter().any(|other| other.starts_with(&next)));
                }
            }
            assert_eq!(rule.next(0, sequence).unwrap(), None);
        }
    }
}
