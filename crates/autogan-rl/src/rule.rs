//! A [`ChoiceRule`] restricts the next choice of a sequence, for example by a budget on the cost of the architecture.
//!
//! A choice that no affordable architecture follows gets no probability, and the others share it: the policy *is* the
//! renormalised one, so that what is drawn, its logarithm, its entropy and their gradients belong together. Drawing from
//! the whole policy and rejecting would need the probability of being accepted in the gradient as well.

use autogan_space::{Arch, Budget, CellArch, stage_tokens};

use crate::actions::ActionSpace;
use crate::error::{Result, RlError};

/// A rule that says which choices may follow.
pub trait ChoiceRule {
    /// For the sequence that began at start state `start` with `actions`: one flag for each choice of the next token, at
    /// least one of them set; `None` when every choice is allowed.
    ///
    /// # Errors
    /// When the rule does not fit the sequence, or nothing is allowed.
    fn next(&self, start: usize, actions: &[usize]) -> Result<Option<Vec<bool>>>;
}

/// The rule that allows every choice: the whole space.
#[derive(Debug, Clone, Copy)]
pub struct AnyChoice;

impl ChoiceRule for AnyChoice {
    fn next(&self, _start: usize, _actions: &[usize]) -> Result<Option<Vec<bool>>> {
        Ok(None)
    }
}

/// The rule that the architecture must stay within a budget: only choices that can be completed so are allowed.
#[derive(Debug, Clone)]
pub struct BudgetRule<'a> {
    /// The decisions that are taken.
    pub space: ActionSpace,
    /// The limits on the cost of an architecture.
    pub budget: &'a Budget,
    /// The cells before the first one that is decided here, for each start state.
    pub prefixes: Vec<Option<&'a Arch>>,
}

impl ChoiceRule for BudgetRule<'_> {
    fn next(&self, start: usize, actions: &[usize]) -> Result<Option<Vec<bool>>> {
        if !self.budget.is_limited() {
            return Ok(None);
        }
        let (stages, order) = self.space.stages()?;
        let (expected, found) = (self.prefixes.len(), start + 1);
        let (what, per) = ("prefixes", "start state");
        let wrong = RlError::Length { what, expected, found, per };
        let prefix = self.prefixes.get(start).ok_or(wrong)?;
        let mut cells = prefix.map_or_else(Vec::new, |arch| arch.cells().to_vec());
        let mut drawn = actions;
        for stage in stages {
            let tokens = stage_tokens(stage, order);
            if let Some(next) = tokens.get(drawn.len()) {
                let mut allowed = vec![false; next.choices()];
                let follow = self.budget.cells_after(&cells).into_iter();
                for cell in follow.map(|cell| cell.to_tokens(order)) {
                    if cell.starts_with(drawn) {
                        allowed[cell[drawn.len()]] = true;
                    }
                }
                return match allowed.contains(&true) {
                    true => Ok(Some(allowed)),
                    false => Err(RlError::Empty("architecture within the budget")),
                };
            }
            let (own, others) = drawn.split_at(tokens.len());
            cells.push(CellArch::from_tokens(stage, order, own)?);
            drawn = others;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use autogan_space::{GeneratorShape, TokenOrder, derived_generator_cost};

    use super::*;

    const SHAPE: GeneratorShape = GeneratorShape { latent: 8, width: 6, bottom: 4 };

    /// Every sequence that the rule lets through.
    fn walk(
        rule: &BudgetRule<'_>,
        choices: &[usize],
        begun: &mut Vec<usize>,
        all: &mut Vec<Vec<usize>>,
    ) {
        let Some(&n) = choices.get(begun.len()) else {
            all.push(begun.clone());
            return;
        };
        let allowed = rule.next(0, begun).unwrap().unwrap();
        assert_eq!(allowed.len(), n);
        for choice in (0..n).filter(|&choice| allowed[choice]) {
            begun.push(choice);
            walk(rule, choices, begun, all);
            begun.pop();
        }
    }

    #[test]
    fn the_sequences_that_remain_are_the_affordable_architectures() {
        let cost = derived_generator_cost(&Arch::AUTOGAN_A, &SHAPE);
        let budget = Budget::new(SHAPE, Some(cost.params), Some(cost.macs)).unwrap();
        for order in [TokenOrder::SkipsFirst, TokenOrder::Released] {
            for stage in 0..3 {
                let prefix = (stage > 0).then(|| Arch::AUTOGAN_A.prefix(stage));
                let before = prefix.as_ref().map_or(&[][..], Arch::cells);
                let own = ActionSpace::Stage { stage, order };
                let joint = ActionSpace::Joint { stage: stage.min(1), order };
                let expected =
                    [budget.cells_after(before).len() as u64, budget.count(stage.min(1))];
                for (space, prefix, expected) in
                    [(own, prefix.as_ref(), expected[0]), (joint, None, expected[1])]
                {
                    let rule = BudgetRule { space, budget: &budget, prefixes: vec![prefix] };
                    let choices: Vec<usize> =
                        space.tokens().unwrap().iter().map(|t| t.choices()).collect();
                    let mut all = Vec::new();
                    walk(&rule, &choices, &mut Vec::new(), &mut all);
                    assert_eq!(all.len() as u64, expected, "{space:?}");
                    assert!(all.iter().all(|a| budget.allows(&space.decode(prefix, a).unwrap())));
                }
            }
        }
    }

    #[test]
    fn no_limit_is_no_rule_and_a_hopeless_prefix_an_error() {
        let space = ActionSpace::Stage { stage: 1, order: TokenOrder::SkipsFirst };
        let dear = "1 1 2 1".parse::<Arch>().unwrap();
        let free = Budget::new(SHAPE, None, None).unwrap();
        let rule = |budget| BudgetRule { space, budget, prefixes: vec![Some(&dear)] };
        assert_eq!(rule(&free).next(0, &[]).unwrap(), None);
        let cheapest =
            derived_generator_cost(&"0 0 0 0 0 0 0 0 0 0 0 0 0 0".parse().unwrap(), &SHAPE);
        let tight = Budget::new(SHAPE, Some(cheapest.params), None).unwrap();
        let error = rule(&tight).next(0, &[]).unwrap_err();
        assert!(matches!(error, RlError::Empty(_)), "{error}");
        assert!(rule(&tight).next(1, &[]).is_err(), "there is one start state");
    }
}
