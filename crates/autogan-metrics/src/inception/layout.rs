//! This module lists the network's layers by name: which convolutions, in which order, between which pools.
//!
//! Names are those of the state dict that pytorch-fid publishes (`Mixed_5b.branch1x1.conv.weight`).

use super::{CLASSES, extractor::Tap};

/// A convolution without bias, followed by batch norm and ReLU.
#[derive(Debug, Clone)]
pub(super) struct ConvPlan {
    /// State dict name, without `.conv.weight` and `.bn.*`.
    pub name: String,
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Kernel height and width.
    pub kernel: (usize, usize),
    /// Stride in both directions.
    pub stride: usize,
    /// Zero padding of rows and columns.
    pub pad: (usize, usize),
}

/// One step of a branch; `C` is a planned or a loaded convolution.
#[derive(Debug, Clone)]
pub(super) enum Step<C> {
    /// A convolution block.
    Conv(C),
    /// Two convolution blocks on the same input, concatenated.
    Fork(C, C),
    /// A 1x1 convolution block on 3x3 averages at stride 1 that do not count padding.
    Averaged(C),
    /// 3x3 maximum.
    MaxPool { stride: usize, pad: usize },
}

impl<C> Step<C> {
    /// The same step with other convolutions.
    pub fn try_map<D, E>(self, f: &mut impl FnMut(C) -> Result<D, E>) -> Result<Step<D>, E> {
        Ok(match self {
            Step::Conv(c) => Step::Conv(f(c)?),
            Step::Fork(a, b) => Step::Fork(f(a)?, f(b)?),
            Step::Averaged(c) => Step::Averaged(f(c)?),
            Step::MaxPool { stride, pad } => Step::MaxPool { stride, pad },
        })
    }
}

/// Branches on the same input, concatenated along the channels.
#[derive(Debug, Clone)]
pub(super) struct Block<C> {
    /// The branches in order.
    pub branches: Vec<Vec<Step<C>>>,
    /// The tap that reads this block's output, if there is one.
    pub tap: Option<Tap>,
}

/// All blocks in order, from `[N, 3, 299, 299]` to `[N, 2048, 8, 8]`.
pub(super) fn blocks() -> Vec<Block<ConvPlan>> {
    let mut blocks = vec![
        block([Branch::new("", 3)
            .strided("Conv2d_1a_3x3", 32)
            .valid("Conv2d_2a_3x3", 32)
            .conv("Conv2d_2b_3x3", 64, (3, 3))
            .max_pool(2, 0)]),
        block([Branch::new("", 64)
            .conv("Conv2d_3b_1x1", 80, (1, 1))
            .valid("Conv2d_4a_3x3", 192)
            .max_pool(2, 0)]),
        block_a("Mixed_5b", 192, 32),
        block_a("Mixed_5c", 256, 64),
        block_a("Mixed_5d", 288, 64),
        block_b("Mixed_6a", 288),
        block_c("Mixed_6b", 128),
        block_c("Mixed_6c", 160),
        block_c("Mixed_6d", 160),
        block_c("Mixed_6e", 192),
        block_d("Mixed_7a", 768),
        block_e("Mixed_7b", 1280, |branch| branch.averaged("branch_pool", 192)),
        block_e("Mixed_7c", 2048, |b| b.max_pool(1, 1).conv("branch_pool", 192, (1, 1))),
    ];
    let taps = [(0, Tap::D64), (1, Tap::D192), (8, Tap::Spatial), (9, Tap::D768), (12, Tap::D2048)];
    for (index, tap) in taps {
        blocks[index].tap = Some(tap);
    }
    blocks
}

/// Names and shapes of all tensors that the network reads from a weight file, in its order.
///
/// `conv.weight` is `[out, in, kh, kw]`, `bn.{weight, bias, running_mean, running_var}` `[out]`,
/// `fc.weight` `[1008, 2048]`, `fc.bias` `[1008]`.
#[must_use]
pub fn tensor_shapes() -> Vec<(String, Vec<usize>)> {
    let mut shapes = Vec::new();
    let mut add = |conv: ConvPlan| {
        let (kh, kw) = conv.kernel;
        let weight = vec![conv.outputs, conv.inputs, kh, kw];
        shapes.push((format!("{}.conv.weight", conv.name), weight));
        for part in ["weight", "bias", "running_mean", "running_var"] {
            shapes.push((format!("{}.bn.{part}", conv.name), vec![conv.outputs]));
        }
    };
    for step in blocks().into_iter().flat_map(|b| b.branches).flatten() {
        match step {
            Step::Conv(conv) | Step::Averaged(conv) => add(conv),
            Step::Fork(a, b) => [a, b].into_iter().for_each(&mut add),
            Step::MaxPool { .. } => {}
        }
    }
    shapes.push(("fc.weight".to_string(), vec![CLASSES, Tap::D2048.dims()]));
    shapes.push(("fc.bias".to_string(), vec![CLASSES]));
    shapes
}

fn block<const N: usize>(branches: [Branch; N]) -> Block<ConvPlan> {
    Block { branches: branches.into_iter().map(|b| b.steps).collect(), tap: None }
}

/// 35x35: 1x1, 5x5, double 3x3, pool.
fn block_a(name: &str, inputs: usize, pool: usize) -> Block<ConvPlan> {
    let branch = || Branch::new(name, inputs);
    block([
        branch().conv("branch1x1", 64, (1, 1)),
        branch().conv("branch5x5_1", 48, (1, 1)).conv("branch5x5_2", 64, (5, 5)),
        branch().conv("branch3x3dbl_1", 64, (1, 1)).conv("branch3x3dbl_2", 96, (3, 3)).conv(
            "branch3x3dbl_3",
            96,
            (3, 3),
        ),
        branch().averaged("branch_pool", pool),
    ])
}

/// 35x35 to 17x17.
fn block_b(name: &str, inputs: usize) -> Block<ConvPlan> {
    let branch = || Branch::new(name, inputs);
    block([
        branch().strided("branch3x3", 384),
        branch()
            .conv("branch3x3dbl_1", 64, (1, 1))
            .conv("branch3x3dbl_2", 96, (3, 3))
            .strided("branch3x3dbl_3", 96),
        branch().max_pool(2, 0),
    ])
}

/// 17x17: 1x1, factorised 7x7 and double 7x7, pool.
fn block_c(name: &str, narrow: usize) -> Block<ConvPlan> {
    let branch = || Branch::new(name, 768);
    block([
        branch().conv("branch1x1", 192, (1, 1)),
        branch().conv("branch7x7_1", narrow, (1, 1)).conv("branch7x7_2", narrow, (1, 7)).conv(
            "branch7x7_3",
            192,
            (7, 1),
        ),
        branch()
            .conv("branch7x7dbl_1", narrow, (1, 1))
            .conv("branch7x7dbl_2", narrow, (7, 1))
            .conv("branch7x7dbl_3", narrow, (1, 7))
            .conv("branch7x7dbl_4", narrow, (7, 1))
            .conv("branch7x7dbl_5", 192, (1, 7)),
        branch().averaged("branch_pool", 192),
    ])
}

/// 17x17 to 8x8.
fn block_d(name: &str, inputs: usize) -> Block<ConvPlan> {
    let branch = || Branch::new(name, inputs);
    block([
        branch().conv("branch3x3_1", 192, (1, 1)).strided("branch3x3_2", 320),
        branch()
            .conv("branch7x7x3_1", 192, (1, 1))
            .conv("branch7x7x3_2", 192, (1, 7))
            .conv("branch7x7x3_3", 192, (7, 1))
            .strided("branch7x7x3_4", 192),
        branch().max_pool(2, 0),
    ])
}

/// 8x8: the two E blocks differ in their pool.
fn block_e(name: &str, inputs: usize, pool: fn(Branch) -> Branch) -> Block<ConvPlan> {
    let branch = || Branch::new(name, inputs);
    block([
        branch().conv("branch1x1", 320, (1, 1)),
        branch().conv("branch3x3_1", 384, (1, 1)).fork("branch3x3_2a", "branch3x3_2b", 384),
        branch().conv("branch3x3dbl_1", 448, (1, 1)).conv("branch3x3dbl_2", 384, (3, 3)).fork(
            "branch3x3dbl_3a",
            "branch3x3dbl_3b",
            384,
        ),
        pool(branch()),
    ])
}

/// A branch while it is put together; it keeps count of the channels.
struct Branch {
    prefix: String,
    channels: usize,
    steps: Vec<Step<ConvPlan>>,
}

impl Branch {
    fn new(block: &str, channels: usize) -> Self {
        let prefix = if block.is_empty() { String::new() } else { format!("{block}.") };
        Branch { prefix, channels, steps: Vec::new() }
    }

    fn plan(
        &self,
        name: &str,
        outputs: usize,
        kernel: (usize, usize),
        stride: usize,
        pad: (usize, usize),
    ) -> ConvPlan {
        let name = format!("{}{name}", self.prefix);
        ConvPlan { name, inputs: self.channels, outputs, kernel, stride, pad }
    }

    fn then(mut self, step: Step<ConvPlan>, channels: usize) -> Self {
        self.channels = channels;
        self.steps.push(step);
        self
    }

    /// Adds a convolution that keeps the side.
    fn conv(self, name: &str, outputs: usize, kernel: (usize, usize)) -> Self {
        let conv = self.plan(name, outputs, kernel, 1, (kernel.0 / 2, kernel.1 / 2));
        self.then(Step::Conv(conv), outputs)
    }

    /// Adds a 3x3 convolution without padding.
    fn valid(self, name: &str, outputs: usize) -> Self {
        let conv = self.plan(name, outputs, (3, 3), 1, (0, 0));
        self.then(Step::Conv(conv), outputs)
    }

    /// Adds a 3x3 convolution with stride 2, without padding.
    fn strided(self, name: &str, outputs: usize) -> Self {
        let conv = self.plan(name, outputs, (3, 3), 2, (0, 0));
        self.then(Step::Conv(conv), outputs)
    }

    /// Adds a 1x3 and a 3x1 convolution beside each other, each with `outputs` channels.
    fn fork(self, wide: &str, tall: &str, outputs: usize) -> Self {
        let a = self.plan(wide, outputs, (1, 3), 1, (0, 1));
        let b = self.plan(tall, outputs, (3, 1), 1, (1, 0));
        self.then(Step::Fork(a, b), 2 * outputs)
    }

    /// Adds a 1x1 convolution behind an average pool that keeps the side.
    fn averaged(self, name: &str, outputs: usize) -> Self {
        let conv = self.plan(name, outputs, (1, 1), 1, (0, 0));
        self.then(Step::Averaged(conv), outputs)
    }

    fn max_pool(self, stride: usize, pad: usize) -> Self {
        let channels = self.channels;
        self.then(Step::MaxPool { stride, pad }, channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_four_convolutions_and_torch_fidelitys_number_of_parameters() {
        let shapes = tensor_shapes();
        let convs = shapes.iter().filter(|(n, _)| n.ends_with("conv.weight"));
        assert_eq!(convs.count(), 94);
        // As torch-fidelity's network counts them: without the running statistics.
        let learnt: usize = shapes
            .iter()
            .filter(|(name, _)| !name.contains("running"))
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum();
        assert_eq!(learnt, 23_850_960);
    }

    #[test]
    fn each_block_takes_what_the_one_before_gives() {
        let mut channels = 3;
        for block in blocks() {
            let mut outputs = 0;
            // The first channels of a block are those of its first branch.
            let first = match block.branches[0].last() {
                Some(Step::Conv(conv)) => Some(conv.name.clone()),
                _ => None,
            };
            for branch in block.branches {
                let mut at = channels;
                for step in branch {
                    match step {
                        Step::Conv(conv) | Step::Averaged(conv) => {
                            assert_eq!(conv.inputs, at, "{}", conv.name);
                            at = conv.outputs;
                        }
                        Step::Fork(a, b) => {
                            assert_eq!((a.inputs, b.inputs), (at, at), "{}", a.name);
                            at = a.outputs + b.outputs;
                        }
                        Step::MaxPool { .. } => {}
                    }
                }
                outputs += at;
            }
            match block.tap {
                Some(Tap::Spatial) => assert_eq!(first.as_deref(), Some("Mixed_6d.branch1x1")),
                Some(tap) => assert_eq!(outputs, tap.dims()),
                None => {}
            }
            channels = outputs;
        }
    }
}
