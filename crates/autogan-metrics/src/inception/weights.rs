//! [`check_weights`] says whether a weight file holds the whole network.

use autogan_weights::Archive;
use candle_core::DType;

use super::CLASSES;
use super::layout::tensor_shapes;
use crate::Result;

/// A tensor that a weight file lacks or holds in another form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongTensor {
    /// Name in the state dict.
    pub name: String,
    /// The shape that the network needs.
    pub expected: Vec<usize>,
    /// What is there.
    pub found: String,
}

/// The findings of [`check_weights`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsCheck {
    /// The number of convolution blocks that are complete, of [`WeightsCheck::BLOCKS`].
    pub blocks: usize,
    /// Tensors that the network needs and that are right.
    pub right: usize,
    /// Tensors that it needs and that are missing, of another shape, or not finite.
    pub wrong: Vec<WrongTensor>,
    /// Tensors that it does not use, without `num_batches_tracked`.
    pub unused: Vec<String>,
}

impl WeightsCheck {
    /// Convolution blocks of the network.
    pub const BLOCKS: usize = 94;

    /// Whether the network can be built from the file.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.wrong.is_empty()
    }
}

/// Looks for every tensor of the 94 convolution blocks and of the logits: shape, and finite values.
///
/// # Errors
/// When a tensor cannot be converted to `f32`, which its type decides.
pub fn check_weights(archive: &Archive) -> Result<WeightsCheck> {
    let shapes = tensor_shapes();
    let mut wrong: Vec<WrongTensor> = Vec::new();
    let mut incomplete = std::collections::BTreeSet::new();
    for (name, expected) in &shapes {
        let found = match archive.get(name) {
            None => "nothing".to_string(),
            Some(tensor) if tensor.dims() != expected => format!("{:?}", tensor.dims()),
            Some(tensor) => {
                // NaN and infinity survive a sum, and a sum of finite f32 weights in f64 is finite.
                let sum = tensor.to_dtype(DType::F64)?.abs()?.sum_all()?.to_scalar::<f64>()?;
                if sum.is_finite() {
                    continue;
                }
                "values that are not finite".to_string()
            }
        };
        incomplete.insert(block_of(name));
        wrong.push(WrongTensor { name: name.clone(), expected: expected.clone(), found });
    }
    let blocks = WeightsCheck::BLOCKS - incomplete.iter().flatten().count();
    let needed = |name: &str| shapes.iter().any(|(other, _)| other == name);
    let unused = |name: &&str| !needed(name) && !name.ends_with("num_batches_tracked");
    Ok(WeightsCheck {
        blocks,
        right: shapes.len() - wrong.len(),
        wrong,
        unused: archive.names().filter(unused).map(str::to_string).collect(),
    })
}

/// What a file is instead, where it is clearly not the network that FID is computed with.
pub(super) fn other_network(archive: &Archive) -> Option<String> {
    let rows = |name: &str| archive.get(name).and_then(|tensor| tensor.dims().first().copied());
    if archive.get("Conv2d_1a_3x3.conv.weight").is_none() {
        let first = archive.names().next().unwrap_or("nothing");
        return Some(format!("{} tensors of another network, the first is {first}", archive.len()));
    }
    match rows("fc.weight").or_else(|| rows("fc.bias")) {
        Some(CLASSES) | None => None,
        Some(classes) => Some(format!(
            "an Inception-v3 of {classes} classes, such as torchvision's and timm's for ImageNet, which gives other \
             features"
        )),
    }
}

/// The block of a tensor's name; none for the logits.
fn block_of(name: &str) -> Option<&str> {
    name.split_once(".conv.").or_else(|| name.split_once(".bn.")).map(|(block, _)| block)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    fn whole() -> Archive {
        let zeros = |shape: Vec<usize>| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        tensor_shapes().into_iter().map(|(name, shape)| (name, zeros(shape))).collect()
    }

    #[test]
    fn a_whole_file_is_complete() {
        let mut file = whole();
        let count = Tensor::new(0i64, &Device::Cpu).unwrap();
        file.insert("Conv2d_1a_3x3.bn.num_batches_tracked", count.clone());
        file.insert("AuxLogits.fc.weight", count);
        let check = check_weights(&file).unwrap();
        assert!(check.is_complete());
        assert_eq!((check.blocks, check.right), (94, 94 * 5 + 2));
        assert_eq!(check.unused, ["AuxLogits.fc.weight"]);
    }

    #[test]
    fn other_networks_are_told_apart() {
        assert_eq!(other_network(&whole()), None);
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        for classes in [1000, 1001, 10] {
            let mut imagenet = whole();
            imagenet.insert("fc.weight", zeros(&[classes, 2048]));
            imagenet.insert("fc.bias", zeros(&[classes]));
            let found = other_network(&imagenet).unwrap();
            assert!(found.contains(&format!("{classes} classes")), "{found}");
        }
        let resnet: Archive =
            [("conv1.weight".to_owned(), zeros(&[64, 3, 7, 7]))].into_iter().collect();
        assert!(other_network(&resnet).unwrap().contains("conv1.weight"));
        assert!(other_network(&Archive::new()).unwrap().contains("nothing"));
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let mut file = whole();
        file.remove("Mixed_7c.branch_pool.bn.bias");
        file.remove("Mixed_7c.branch_pool.bn.weight");
        let nan = Tensor::new(&[f32::NAN; 64], &Device::Cpu).unwrap();
        file.insert("Mixed_5b.branch1x1.bn.bias", nan);
        file.insert("fc.bias", Tensor::zeros(1000, DType::F32, &Device::Cpu).unwrap());
        let check = check_weights(&file).unwrap();
        assert!(!check.is_complete());
        assert_eq!((check.blocks, check.wrong.len()), (92, 4));
        let found = |name: &str| {
            let wrong = check.wrong.iter().find(|wrong| wrong.name == name).unwrap();
            (wrong.expected.clone(), wrong.found.as_str())
        };
        assert_eq!(found("Mixed_7c.branch_pool.bn.bias"), (vec![192], "nothing"));
        assert_eq!(found("Mixed_5b.branch1x1.bn.bias").1, "values that are not finite");
        assert_eq!(found("fc.bias"), (vec![1008], "[1000]"));
    }
}
