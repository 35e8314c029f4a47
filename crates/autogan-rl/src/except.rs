//! [`ExceptRule`] leaves out sequences that were drawn before.
//!
//! As with a budget, the policy *is* the renormalised one: a choice that leads only to sequences that are left out has
//! probability 0, so that what is drawn, its logarithm, its entropy and their gradients belong together.

use autogan_space::TokenKind;

use crate::error::{Result, RlError};
use crate::rule::ChoiceRule;

/// A rule without some of the sequences that it allows.
pub struct ExceptRule<'a> {
    /// The rule that holds anyway.
    pub rule: &'a dyn ChoiceRule,
    /// The decisions, in the order in which they are taken.
    pub tokens: &'a [TokenKind],
    /// The sequences that are left out, for each start state.
    pub except: Vec<Vec<Vec<usize>>>,
}

impl ExceptRule<'_> {
    /// Whether a sequence is left that begins at start state `start` with `actions`, which the rule itself allows.
    ///
    /// # Errors
    /// As [`ChoiceRule::next`], though not when nothing is left.
    pub fn leaves(&self, start: usize, actions: &[usize]) -> Result<bool> {
        if !self.except(start)?.iter().any(|left_out| left_out.starts_with(actions)) {
            return Ok(true);
        }
        if actions.len() >= self.tokens.len() {
            return Ok(false);
        }
        Ok(self.open(start, actions)?.contains(&true))
    }

    /// For each choice of the next token whether a sequence is left behind it.
    fn open(&self, start: usize, actions: &[usize]) -> Result<Vec<bool>> {
        let all = || vec![true; self.tokens[actions.len()].choices()];
        let mut open = self.rule.next(start, actions)?.unwrap_or_else(all);
        let mut begun = actions.to_vec();
        for (choice, open) in open.iter_mut().enumerate().filter(|(_, open)| **open) {
            begun.push(choice);
            *open = self.leaves(start, &begun)?;
            begun.pop();
        }
        Ok(open)
    }

    fn except(&self, start: usize) -> Result<&[Vec<usize>]> {
        let (what, per) = ("sequences that are left out", "start state");
        let (expected, found) = (self.except.len(), start + 1);
        let wrong = RlError::Length { what, expected, found, per };
        self.except.get(start).map(Vec::as_slice).ok_or(wrong)
    }
}

impl ChoiceRule for ExceptRule<'_> {
    fn next(&self, start: usize, actions: &[usize]) -> Result<Option<Vec<bool>>> {
        let concerned = self.except(start)?.iter().any(|left_out| left_out.starts_with(actions));
        if !concerned || actions.len() >= self.tokens.len() {
            return self.rule.next(start, actions);
        }
        let open = self.open(start, actions)?;
        match open.contains(&true) {
            true => Ok(Some(open)),
            false => Err(RlError::Empty("sequence that was not drawn before")),
        }
    }
}

#[cfg(test)]
mod tests {
    use autogan_space::{Arch, Budget, GeneratorShape, TokenOrder, derived_generator_cost};

    use super::*;
    use crate::{ActionSpace, AnyChoice, BudgetRule};

    /// Every sequence that the rule lets through from the first start state.
    fn walk(
        rule: &dyn ChoiceRule,
        tokens: &[TokenKind],
        begun: &mut Vec<usize>,
    ) -> Vec<Vec<usize>> {
        let Some(token) = tokens.get(begun.len()) else { return vec![begun.clone()] };
        let allowed = rule.next(0, begun).unwrap().unwrap_or_else(|| vec![true; token.choices()]);
        let mut all = Vec::new();
        for choice in (0..token.choices()).filter(|&choice| allowed[choice]) {
            begun.push(choice);
            all.extend(walk(rule, tokens, begun));
            begun.pop();
        }
        all
    }

    #[test]
    fn what_is_left_out_is_missing_and_nothing_else() {
        let shape = GeneratorShape { latent: 8, width: 6, bottom: 4 };
        let cost = derived_generator_cost(&Arch::AUTOGAN_A, &shape);
        let budget = Budget::new(shape, Some(cost.params), None).unwrap();
        let space = ActionSpace::Stage { stage: 1, order: TokenOrder::SkipsFirst };
        let prefix = Arch::AUTOGAN_A.prefix(1);
        let limited = BudgetRule { space, budget: &budget, prefixes: vec![Some(&prefix)] };
        let tokens = space.tokens().unwrap();
        for rule in [&AnyChoice as &dyn ChoiceRule, &limited] {
            let all = walk(rule, &tokens, &mut Vec::new());
            assert!(all.len() > 20);
            // Some alone, some with everything that begins as they do, most of all.
            for (first, step, n) in [(0, 1, 7), (3, 5, 4), (1, 1, all.len() - 1)] {
                let out: Vec<Vec<usize>> =
                    all.iter().skip(first).step_by(step).take(n).cloned().collect();
                let except = ExceptRule { rule, tokens: &tokens, except: vec![out.clone()] };
                let expected: Vec<Vec<usize>> =
                    all.iter().filter(|a| !out.contains(a)).cloned().collect();
                assert_eq!(walk(&except, &tokens, &mut Vec::new()), expected);
                assert!(except.leaves(0, &[]).unwrap());
            }
            let none = ExceptRule { rule, tokens: &tokens, except: vec![all] };
            assert!(!none.leaves(0, &[]).unwrap());
            assert!(matches!(none.next(0, &[]).unwrap_err(), RlError::Empty(_)));
        }
    }

    #[test]
    fn without_sequences_it_is_the_rule_itself() {
        let tokens = ActionSpace::Stage { stage: 0, order: TokenOrder::SkipsFirst };
        let tokens = tokens.tokens().unwrap();
        let except = ExceptRule { rule: &AnyChoice, tokens: &tokens, except: vec![Vec::new(); 2] };
        assert_eq!(except.next(1, &[0]).unwrap(), None);
        assert!(except.next(2, &[]).is_err(), "there are two start states");
    }
}
