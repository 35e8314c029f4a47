//! This module defines the keys of the controller and its policy gradient.

use autogan_space::TokenOrder;

use crate::keys::{ABOVE_0, ANY, SHARE, SOME, Values, choice, section};

section! {
    /// The controller and its policy gradient.
    PolicyConfig {
        /// How architectures are drawn. `steps`, `children` and `distinct_within` hold for both ways, the other keys for the
        /// controller.
        policy: Policy, Policy::VALUES;
        /// Length of the controller's hidden vector.
        hidden: usize, SOME, "numbers";
        /// Order and kind of the controller's tokens.
        tokens: TokenOrder, TOKEN_ORDER;
        /// What the controller reads at its first step.
        first_input: FirstInput, FirstInput::VALUES;
        /// Adam's step size.
        lr: f64, ABOVE_0;
        /// Adam's decay of the first moment.
        beta1: f64, SHARE;
        /// Adam's decay of the second moment.
        beta2: f64, SHARE;
        /// Steps of the controller in an iteration.
        steps: usize, ANY, "steps";
        /// Architectures that are drawn and scored in a step; 1 with `loss = "released"`.
        children: usize, SOME, "architectures";
        /// Within what children differ from each other.
        distinct_within: DistinctWithin, DistinctWithin::VALUES;
        /// The loss of the policy gradient. The losses differ in where the entropy goes.
        loss: PolicyLoss, PolicyLoss::VALUES;
        /// Weight of the entropy.
        entropy_weight: f64, ANY, "`entropy_unit` per nat";
        /// The unit of `entropy_weight`.
        entropy_unit: EntropyUnit, EntropyUnit::VALUES;
        /// Weight of the old value in the moving average of the rewards, the baseline.
        baseline_decay: f64, SHARE;
        /// Whether a reward counts in the baseline that is subtracted from it.
        baseline_order: BaselineOrder, BaselineOrder::VALUES;
        /// Whether each iteration starts with a fresh baseline.
        restart_baseline: bool, Values::Flag;
    }
}

/// The words of [`TokenOrder`], which belongs to the search space.
const TOKEN_ORDER: Values = Values::Choice(&[
    (
        "skips_first",
        " As in the paper's figure: a token of two values for each earlier cell, the oldest first, then convolution, norm, upsampling, shortcut.",
    ),
    (
        "released",
        " As in the released code: convolution, norm, upsampling, shortcut, then one token for all skips.",
    ),
]);

choice! {
    /// How architectures are drawn.
    Policy {
        /// By the controller, which learns from the rewards by REINFORCE.
        Reinforce = "reinforce",
        /// Evenly among what is allowed: random search with weight sharing (section 4.3.5). As many children are scored
        /// as with the controller, those of an iteration differing from each other where there are enough. What ends a
        /// stage and the search ranks the best of the stage's children instead of candidates drawn from a policy.
        Uniform = "uniform",
    }
}

choice! {
    /// Within what children differ from each other.
    DistinctWithin {
        /// Within nothing: the controller draws each child anew, and may draw it again. A random search does as with
        /// `iteration`.
        None = "none",
        /// Within an iteration: a child comes again only after all others that are allowed. The controller's probabilities of
        /// the choices that lead only to earlier children are 0, and the others are renormalised.
        Iteration = "iteration",
        /// Within a stage too, as long as something new is left there.
        Stage = "stage",
    }
}

choice! {
    /// What the controller reads at its first step.
    FirstInput {
        /// The last token of the previous cell, embedded by this controller's own table; zeros at stage 0.
        PreviousToken = "previous_token",
        /// Zeros at every stage, as in the released code: the last token of a cell is never read.
        Zeros = "zeros",
    }
}

choice! {
    /// The loss of the policy gradient. The losses differ in where the entropy goes.
    PolicyLoss {
        /// The entropy is a term of its own; any number of children.
        EntropyBonus = "entropy_bonus",
        /// The entropy is part of the reward, as in the paper's text; any number of children. The baseline averages
        /// R + c · ΣH.
        EntropyInReward = "entropy_in_reward",
        /// The loss of the released code; one child only.
        Released = "released",
    }
}

choice! {
    /// The unit of the entropy's weight.
    EntropyUnit {
        /// The reward as it is. A reward of another scale needs another weight.
        Reward = "reward",
        /// The standard deviation of the rewards of the iteration before; in the first iteration of a stage, that of its
        /// rewards so far. One weight means the same for rewards of any scale.
        Spread = "spread",
    }
}

choice! {
    /// Whether a reward counts in the baseline that is subtracted from it.
    BaselineOrder {
        /// The baseline knows only earlier rewards when it is subtracted: unbiased.
        SubtractThenUpdate = "subtract_then_update",
        /// The baseline already holds the reward, as in the released code: the advantage shrinks by `baseline_decay`.
        UpdateThenSubtract = "update_then_subtract",
    }
}
