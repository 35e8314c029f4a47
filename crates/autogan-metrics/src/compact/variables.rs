//! [`Variables`] holds the variables of a compact classifier, as it is trained and as its weight file holds them.

use autogan_weights::{Archive, Init, Params, ParamsBuilder, Result};
use candle_core::{DType, Device, Var};

use super::INPUT_CHANNELS;

/// Number of blocks.
const BLOCKS: usize = 3;

/// A 3x3 convolution without bias, `[O, I, 3, 3]`, and the batch norm behind it, `[O]` each.
#[derive(Debug, Clone)]
pub struct ConvVars {
    /// Weight of the convolution.
    pub weight: Var,
    /// Scale of the batch norm.
    pub scale: Var,
    /// Shift of the batch norm.
    pub shift: Var,
    /// Running mean, F64.
    pub mean: Var,
    /// Running unbiased variance, F64.
    pub var: Var,
}

/// All variables of a compact classifier.
#[derive(Debug, Clone)]
pub struct Variables {
    /// The six convolutions in forward order: first and second of each block.
    pub convs: Vec<ConvVars>,
    /// Weight of the last layer, `[K, D]`.
    pub weight: Var,
    /// Bias of the last layer, `[K]`.
    pub bias: Var,
    /// All variables under the names of the weight file and in its order, in which initial values are drawn.
    pub params: Params,
}

impl Variables {
    /// Variables of a network with `widths` channels in its blocks and `classes` classes, all zero until
    /// [`Params::reset`] draws them: He-normal convolutions, a small linear layer, batch norms at 1 and 0.
    ///
    /// # Errors
    /// When `dtype` is neither F32 nor F64, or the device fails.
    pub fn new(
        widths: [usize; BLOCKS],
        classes: usize,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let mut builder = ParamsBuilder::new(dtype, device)?;
        let mut convs = Vec::with_capacity(2 * BLOCKS);
        let mut inputs = INPUT_CHANNELS;
        for (block, outputs) in (1..).zip(widths) {
            for conv in 1..=2 {
                let norm = format!("block{block}.bn{conv}");
                let init = Init::Normal { mean: 0.0, std: (2.0 / (inputs * 9) as f64).sqrt() };
                let name = format!("block{block}.conv{conv}.weight");
                convs.push(ConvVars {
                    weight: builder.param(&name, (outputs, inputs, 3, 3), init)?,
                    scale: builder.param(&format!("{norm}.weight"), outputs, Init::Ones)?,
                    shift: builder.param(&format!("{norm}.bias"), outputs, Init::Zeros)?,
                    mean: builder.buffer_f64(
                        &format!("{norm}.running_mean"),
                        outputs,
                        Init::Zeros,
                    )?,
                    var: builder.buffer_f64(&format!("{norm}.running_var"), outputs, Init::Ones)?,
                });
                inputs = outputs;
            }
        }
        let init = Init::Normal { mean: 0.0, std: (1.0 / inputs as f64).sqrt() };
        let weight = builder.param("linear.weight", (classes, inputs), init)?;
        let bias = builder.param("linear.bias", classes, Init::Zeros)?;
        Ok(Self { convs, weight, bias, params: builder.finish() })
    }

    /// The variables of a weight file, in F64 on the CPU. Widths and classes are read from its shapes.
    ///
    /// # Errors
    /// When a tensor is missing, unexpected or of another shape; all of them are named.
    pub fn from_archive(archive: &Archive) -> Result<Self> {
        let outputs = |name: &str| -> Result<usize> {
            Ok(archive.require(name)?.dims().first().copied().unwrap_or(0))
        };
        let mut widths = [0; BLOCKS];
        for (block, width) in (1..).zip(&mut widths) {
            *width = outputs(&format!("block{block}.conv1.weight"))?;
        }
        let variables = Self::new(widths, outputs("linear.weight")?, DType::F64, &Device::Cpu)?;
        variables.params.load(archive, "")?;
        Ok(variables)
    }
}
