//! A plain interpreter in f64 of the operators that exported models use. It follows the specification of ONNX and uses
//! nothing of `autogan-nn`. It is slow and strict: an attribute that it does not know is a failure.

use std::collections::BTreeMap;

use autogan_onnx::proto::{AttributeProto, ModelProto, NodeProto, TensorProto};

/// Numbers in row-major order.
#[derive(Clone, Debug)]
pub struct Array {
    pub dims: Vec<usize>,
    pub data: Vec<f64>,
}

impl Array {
    pub fn new(dims: &[usize], data: Vec<f64>) -> Self {
        assert_eq!(dims.iter().product::<usize>(), data.len(), "{dims:?}");
        Self { dims: dims.to_vec(), data }
    }

    fn zeros(dims: &[usize]) -> Self {
        Self::new(dims, vec![0.0; dims.iter().product()])
    }

    fn at4(&self, [n, c, y, x]: [usize; 4]) -> usize {
        ((n * self.dims[1] + c) * self.dims[2] + y) * self.dims[3] + x
    }

    fn dims4(&self) -> [usize; 4] {
        self.dims.clone().try_into().unwrap()
    }

    fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        self.data.iter_mut().for_each(|x| *x = f(*x));
        self
    }

    /// Maps each pixel by a function of its value and its channel.
    fn map_channels(mut self, f: impl Fn(f64, usize) -> f64) -> Self {
        let [_, c, h, w] = self.dims4();
        for (i, x) in self.data.iter_mut().enumerate() {
            *x = f(*x, i / (h * w) % c);
        }
        self
    }
}

/// The output of a model with one input.
pub fn run(model: &ModelProto, input: Array) -> Array {
    let graph = model.graph.as_ref().unwrap();
    let mut values: BTreeMap<&str, Array> =
        graph.initializer.iter().map(|t| (t.name.as_str(), constant(t))).collect();
    assert_eq!(values.len(), graph.initializer.len(), "a constant is there twice");
    values.insert(&graph.input[0].name, input);
    for node in &graph.node {
        let inputs: Vec<Option<&Array>> = node
            .input
            .iter()
            .map(|name| (!name.is_empty()).then(|| &values[name.as_str()]))
            .collect();
        let output = evaluate(node, &inputs);
        assert!(values.insert(&node.output[0], output).is_none(), "{} is made twice", node.name);
    }
    values.remove(graph.output[0].name.as_str()).unwrap()
}

fn constant(tensor: &TensorProto) -> Array {
    let dims: Vec<usize> = tensor.dims.iter().map(|&size| size as usize).collect();
    let data = match tensor.data_type {
        1 => floats(&tensor.raw_data),
        7 => ints(&tensor.raw_data).into_iter().map(|i| i as f64).collect(),
        other => panic!("{}: type {other}", tensor.name),
    };
    Array::new(&dims, data)
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
}

fn ints(bytes: &[u8]) -> Vec<i64> {
    bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect()
}

/// The attributes by name. Each must be read, or the interpreter fails.
struct Attributes<'a>(BTreeMap<&'a str, &'a AttributeProto>);

impl<'a> Attributes<'a> {
    fn take(&mut self, name: &str) -> &'a AttributeProto {
        self.0.remove(name).unwrap_or_else(|| panic!("no attribute {name}"))
    }

    fn text(&mut self, name: &str) -> &'a str {
        std::str::from_utf8(self.take(name).s.as_ref().unwrap()).unwrap()
    }

    fn epsilon(&mut self) -> f64 {
        f64::from(self.take("epsilon").f.unwrap())
    }
}

fn evaluate(node: &NodeProto, inputs: &[Option<&Array>]) -> Array {
    let mut attributes = Attributes(node.attribute.iter().map(|a| (a.name.as_str(), a)).collect());
    let arg = |i: usize| inputs[i].unwrap();
    let x = arg(0).clone();
    let output = match node.op_type.as_str() {
        "Gemm" => {
            assert_eq!(attributes.take("transB").i, Some(1));
            gemm(&x, arg(1), arg(2))
        }
        "Reshape" => {
            let rest: usize = arg(1).data[1..].iter().product::<f64>() as usize;
            assert_eq!(arg(1).data[0], -1.0);
            let mut dims = vec![x.data.len() / rest];
            dims.extend(arg(1).data[1..].iter().map(|&size| size as usize));
            Array::new(&dims, x.data)
        }
        "Conv" => {
            let kernel = &attributes.take("kernel_shape").ints;
            assert!(kernel.iter().zip(&arg(1).dims[2..]).all(|(&a, &b)| a as usize == b));
            let pads = &attributes.take("pads").ints;
            assert!(pads.iter().all(|pad| *pad == pads[0]) && pads.len() == 4);
            conv(&x, arg(1), arg(2), pads[0] as usize)
        }
        "ConvTranspose" => {
            assert_eq!(attributes.take("kernel_shape").ints, [2, 2]);
            assert_eq!(attributes.take("strides").ints, [2, 2]);
            conv_transpose(&x, arg(1), arg(2))
        }
        "BatchNormalization" => {
            let eps = attributes.epsilon();
            let [weight, bias, mean, var] = [1, 2, 3, 4].map(|i| &arg(i).data);
            x.map_channels(|x, c| weight[c] * (x - mean[c]) / (var[c] + eps).sqrt() + bias[c])
        }
        "InstanceNormalization" => {
            let eps = attributes.epsilon();
            instance_norm(x, &arg(1).data, &arg(2).data, eps)
        }
        "Resize" => {
            assert!(inputs[1].is_none());
            let [_, _, sy, sx] = arg(2).data[..] else { panic!("four scales") };
            resize(&x, [sy, sx], &mut attributes)
        }
        "Add" => {
            assert_eq!(x.dims, arg(1).dims);
            let data = x.data.iter().zip(&arg(1).data).map(|(a, b)| a + b).collect();
            Array::new(&x.dims, data)
        }
        "Relu" => x.map(|x| x.max(0.0)),
        "Tanh" => x.map(f64::tanh),
        other => panic!("operator {other}"),
    };
    assert!(attributes.0.is_empty(), "{}: {:?}", node.name, attributes.0.keys());
    output
}

fn gemm(x: &Array, weight: &Array, bias: &Array) -> Array {
    let (inputs, outputs) = (weight.dims[1], weight.dims[0]);
    let mut y = Array::zeros(&[x.dims[0], outputs]);
    for (row, out) in x.data.chunks_exact(inputs).zip(y.data.chunks_exact_mut(outputs)) {
        for (o, out) in out.iter_mut().enumerate() {
            let weights = &weight.data[o * inputs..][..inputs];
            *out = bias.data[o] + row.iter().zip(weights).map(|(a, b)| a * b).sum::<f64>();
        }
    }
    y
}

fn conv(x: &Array, weight: &Array, bias: &Array, pad: usize) -> Array {
    let ([n, ci, h, w], [co, _, kh, kw]) = (x.dims4(), weight.dims4());
    let mut y = Array::zeros(&[n, co, h + 2 * pad + 1 - kh, w + 2 * pad + 1 - kw]);
    let [_, _, oh, ow] = y.dims4();
    for n in 0..n {
        for o in 0..co {
            for (oy, ox) in (0..oh).flat_map(|oy| (0..ow).map(move |ox| (oy, ox))) {
                let mut sum = bias.data[o];
                for i in 0..ci {
                    for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                        let (iy, ix) = ((oy + ky).wrapping_sub(pad), (ox + kx).wrapping_sub(pad));
                        if iy < h && ix < w {
                            sum += x.data[x.at4([n, i, iy, ix])]
                                * weight.data[weight.at4([o, i, ky, kx])];
                        }
                    }
                }
                let at = y.at4([n, o, oy, ox]);
                y.data[at] = sum;
            }
        }
    }
    y
}

fn conv_transpose(x: &Array, weight: &Array, bias: &Array) -> Array {
    let ([n, ci, h, w], [_, co, _, _]) = (x.dims4(), weight.dims4());
    let mut y = Array::zeros(&[n, co, 2 * h, 2 * w]);
    for n in 0..n {
        for o in 0..co {
            for (oy, ox) in (0..2 * h).flat_map(|oy| (0..2 * w).map(move |ox| (oy, ox))) {
                let terms = (0..ci).map(|i| {
                    let weight = weight.data[weight.at4([i, o, oy % 2, ox % 2])];
                    x.data[x.at4([n, i, oy / 2, ox / 2])] * weight
                });
                let at = y.at4([n, o, oy, ox]);
                y.data[at] = bias.data[o] + terms.sum::<f64>();
            }
        }
    }
    y
}

fn instance_norm(mut x: Array, weight: &[f64], bias: &[f64], eps: f64) -> Array {
    let [_, c, h, w] = x.dims4();
    for (i, plane) in x.data.chunks_exact_mut(h * w).enumerate() {
        let count = (h * w) as f64;
        let mean = plane.iter().sum::<f64>() / count;
        let var = plane.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let scale = weight[i % c] / (var + eps).sqrt();
        plane.iter_mut().for_each(|x| *x = (*x - mean) * scale + bias[i % c]);
    }
    x
}

fn resize(x: &Array, scales: [f64; 2], attributes: &mut Attributes<'_>) -> Array {
    let mode = attributes.text("mode");
    let place: fn(f64, f64) -> f64 = match attributes.text("coordinate_transformation_mode") {
        "half_pixel" => |at, scale| (at + 0.5) / scale - 0.5,
        "asymmetric" => |at, scale| at / scale,
        other => panic!("{other}"),
    };
    // The input pixels of one output pixel along one axis, with their weights.
    let taps = |at: usize, scale: f64, size: usize| -> [(usize, f64); 2] {
        let place = place(at as f64, scale);
        let clamp = |at: f64| at.clamp(0.0, size as f64 - 1.0) as usize;
        let (low, rest) = (place.floor(), place - place.floor());
        match mode {
            "nearest" => [(clamp(low), 1.0), (clamp(low), 0.0)],
            "linear" => [(clamp(low), 1.0 - rest), (clamp(low + 1.0), rest)],
            other => panic!("{other}"),
        }
    };
    if mode == "nearest" {
        assert_eq!(attributes.text("nearest_mode"), "floor");
    }
    let [n, c, h, w] = x.dims4();
    let (oh, ow) = ((h as f64 * scales[0]) as usize, (w as f64 * scales[1]) as usize);
    let mut y = Array::zeros(&[n, c, oh, ow]);
    for (n, c) in (0..n).flat_map(|n| (0..c).map(move |c| (n, c))) {
        for oy in 0..oh {
            for ox in 0..ow {
                let mut sum = 0.0;
                for (iy, wy) in taps(oy, scales[0], h) {
                    for (ix, wx) in taps(ox, scales[1], w) {
                        sum += wy * wx * x.data[x.at4([n, c, iy, ix])];
                    }
                }
                let at = y.at4([n, c, oy, ox]);
                y.data[at] = sum;
            }
        }
    }
    y
}
