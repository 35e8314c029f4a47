//! DINOv2, CLIP and the residual networks of CIFAR-10 with synthetic weights against PyTorch and `transformers`.
//!
//! The networks have reduced sizes, and the sides of images and patches, and the numbers of position embeddings, that the
//! published ones have. Values and weights are those of `scripts/golden_transformers.py`. `AUTOGAN_TEST_DEVICE` names a
//! GPU to compute on. Where `AUTOGAN_RESNET_DIR` is set, the trained networks of that folder classify CIFAR-10's images.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use autogan_metrics::resnet::ResNet;
use autogan_metrics::vit::{CLIP_VIT_B32, DINOV2_VITS14, Vit, VitPlan};
use autogan_metrics::{FeatureExtractor, ScorerOptions, extract_batched, load_scorer};
use autogan_testing::device_or;
use autogan_testing::synthetic::uniform;
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

const DINOV2: VitPlan =
    VitPlan { name: "dinov2", width: 24, depth: 2, heads: 3, outputs: 24, ..DINOV2_VITS14 };

const CLIP: VitPlan =
    VitPlan { name: "clip", width: 32, depth: 2, heads: 4, outputs: 12, ..CLIP_VIT_B32 };

/// The weight called `name`, by the rule that the script documents.
fn synthetic(name: &str, shape: &[usize], gain: f64) -> Tensor {
    let fan_in = shape[1..].iter().product::<usize>() as f64;
    let value = |u: f64| {
        if name.contains("lambda") {
            0.5 + u
        } else if ["cls_token", "position_embedding", "class_embedding"]
            .iter()
            .any(|n| name.contains(n))
        {
            u - 0.5
        } else if name.ends_with("bias") || name.ends_with("running_mean") {
            0.2 * (u - 0.5)
        } else if shape.len() == 1 {
            0.75 + 0.5 * u
        } else {
            (2.0 * u - 1.0) * (gain / fan_in).sqrt()
        }
    };
    let values: Vec<f32> = uniform(name, shape.iter().product()).map(|u| value(u) as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn archive(shapes: Vec<(String, Vec<usize>)>) -> Archive {
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let gain = if name.contains("conv") { 6.0 } else { 3.0 };
        (name.clone(), synthetic(&name, &shape, gain))
    };
    shapes.into_iter().map(tensor).collect()
}

/// Names and shapes of a layer or a norm.
fn layer(name: &str, shape: &[usize]) -> [(String, Vec<usize>); 2] {
    [(format!("{name}.weight"), shape.to_vec()), (format!("{name}.bias"), shape[..1].to_vec())]
}

/// DINOv2 as `transformers` saves it.
fn dinov2() -> Archive {
    let VitPlan { width: w, depth, patch, grid, .. } = DINOV2;
    let mut shapes = vec![
        ("embeddings.cls_token".into(), vec![1, 1, w]),
        ("embeddings.mask_token".into(), vec![1, w]),
        ("embeddings.position_embeddings".into(), vec![1, 1 + grid * grid, w]),
    ];
    shapes.extend(layer("embeddings.patch_embeddings.projection", &[w, 3, patch, patch]));
    for i in 0..depth {
        let block = |name: &str| format!("encoder.layer.{i}.{name}");
        for part in ["query", "key", "value"] {
            shapes.extend(layer(&block(&format!("attention.attention.{part}")), &[w, w]));
        }
        shapes.extend(layer(&block("attention.output.dense"), &[w, w]));
        shapes.extend(layer(&block("mlp.fc1"), &[4 * w, w]));
        shapes.extend(layer(&block("mlp.fc2"), &[w, 4 * w]));
        for k in [1, 2] {
            shapes.extend(layer(&block(&format!("norm{k}")), &[w]));
            shapes.push((block(&format!("layer_scale{k}.lambda1")), vec![w]));
        }
    }
    shapes.extend(layer("layernorm", &[w]));
    archive(shapes)
}

/// CLIP's image tower as `transformers` saves it.
fn clip() -> Archive {
    let VitPlan { width: w, depth, patch, grid, outputs, .. } = CLIP;
    let embedding = |name: &str| format!("vision_model.embeddings.{name}");
    let mut shapes = vec![
        (embedding("class_embedding"), vec![w]),
        (embedding("patch_embedding.weight"), vec![w, 3, patch, patch]),
        (embedding("position_embedding.weight"), vec![1 + grid * grid, w]),
        ("visual_projection.weight".into(), vec![outputs, w]),
    ];
    shapes.extend(layer("vision_model.pre_layrnorm", &[w]));
    shapes.extend(layer("vision_model.post_layernorm", &[w]));
    for i in 0..depth {
        let block = |name: &str| format!("vision_model.encoder.layers.{i}.{name}");
        for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            shapes.extend(layer(&block(&format!("self_attn.{part}")), &[w, w]));
        }
        shapes.extend(layer(&block("mlp.fc1"), &[4 * w, w]));
        shapes.extend(layer(&block("mlp.fc2"), &[w, 4 * w]));
        shapes.extend([1, 2].iter().flat_map(|k| layer(&block(&format!("layer_norm{k}")), &[w])));
    }
    archive(shapes)
}

/// A residual network under the names of `pytorch_resnet_cifar10`.
fn resnet(layers: usize) -> Archive {
    let mut shapes = Vec::new();
    let mut block = |conv: String, norm: String, inputs: usize, outputs: usize| {
        shapes.push((format!("{conv}.weight"), vec![outputs, inputs, 3, 3]));
        for part in ["weight", "bias", "running_mean", "running_var"] {
            shapes.push((format!("{norm}.{part}"), vec![outputs]));
        }
    };
    block("conv1".into(), "bn1".into(), 3, 16);
    let mut inputs = 16;
    for (stage, outputs) in (1..).zip([16, 32, 64]) {
        for i in 0..(layers - 2) / 6 {
            for k in [1, 2] {
                let name = |what: &str| format!("layer{stage}.{i}.{what}{k}");
                block(name("conv"), name("bn"), inputs, outputs);
                inputs = outputs;
            }
        }
    }
    shapes.extend(layer("linear", &[10, 64]));
    archive(shapes)
}

/// Three pictures `[3, 3, h, w]`, which the script makes, too.
fn pictures(h: usize, w: usize) -> Tensor {
    let value = |i: usize| {
        let (x, y, c, k) = (i % w, i / w % h, i / w / h % 3, i / w / h / 3);
        ((x * (k + 3) + y * (c + 2) * 5 + 40 * ((x / 6 + y / 5 + k) % 3)) % 256) as u8
    };
    let bytes = (0..3 * 3 * h * w).map(value).collect::<Vec<u8>>();
    Tensor::from_vec(bytes, (3, 3, h, w), &Device::Cpu).unwrap()
}

/// The largest difference, relative to the largest expected magnitude.
fn gap(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    let [found, expected] = [found, expected].map(|t| t.to_device(&Device::Cpu).unwrap());
    let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    largest(&(found - &expected).unwrap()) / largest(&expected)
}

fn golden() -> Archive {
    let path = ["../../tests/golden/transformers/features.safetensors"];
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR")].iter().chain(&path).collect();
    Archive::read_any(path).unwrap()
}

fn vit(weights: &Archive, plan: &VitPlan) -> Vit {
    Vit::from_archive(weights, plan, &device_or("cpu")).unwrap()
}

#[test]
fn transformers_equal_pytorch() {
    let golden = golden();
    for (weights, plan) in [(dinov2(), DINOV2), (clip(), CLIP)] {
        let vit = vit(&weights, &plan);
        assert_eq!((vit.name(), vit.dims(), vit.classes()), (plan.name, plan.outputs, 0));
        for (h, w) in [(20, 31), (260, 300), (224, 224)] {
            let expected = |what: &str| {
                golden.require(&format!("{}.{h}x{w}.{what}", plan.name)).unwrap().clone()
            };
            let images = pictures(h, w);
            let input = vit.prepare(&images).unwrap();
            let some = Tensor::arange_step(0u32, 224, 29, &Device::Cpu).unwrap();
            let input = input.index_select(&some, 2).unwrap().index_select(&some, 3).unwrap();
            let found = gap(&input, &expected("input"));
            assert!(found < 1e-5, "{} {h}x{w}: input {found:e}", plan.name);
            let extraction = vit.extract(&images).unwrap();
            let found = gap(&extraction.features, &expected("features"));
            assert!(found < 1e-4, "{} {h}x{w}: features {found:e}", plan.name);
            assert_eq!(extraction.logits.dims(), [3, 0]);
        }
    }
}

#[test]
fn residual_networks_equal_pytorch() {
    let golden = golden();
    for layers in [20, 56] {
        let network = ResNet::from_archive(&resnet(layers), layers, &device_or("cpu")).unwrap();
        assert_eq!(network.name(), format!("resnet{layers}-cifar10"));
        assert_eq!((network.dims(), network.classes()), (64, 10));
        for (h, w) in [(32, 32), (20, 31)] {
            let found = network.extract(&pictures(h, w)).unwrap();
            for (what, found) in [("features", &found.features), ("logits", &found.logits)] {
                let expected = golden.require(&format!("resnet{layers}.{h}x{w}.{what}")).unwrap();
                let found = gap(found, expected);
                assert!(found < 1e-4, "resnet{layers} {h}x{w}: {what} {found:e}");
            }
        }
    }
}

/// The names of Meta's file, whose queries, keys and values are one tensor.
fn as_meta_names_them(weights: &Archive) -> Archive {
    let renamed = [
        ("embeddings.cls_token", "cls_token"),
        ("embeddings.mask_token", "mask_token"),
        ("embeddings.position_embeddings", "pos_embed"),
        ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
        ("encoder.layer.", "blocks."),
        ("attention.output.dense", "attn.proj"),
        ("layer_scale1.lambda1", "ls1.gamma"),
        ("layer_scale2.lambda1", "ls2.gamma"),
        ("layernorm", "norm"),
    ];
    let mut meta = Archive::new();
    for (name, tensor) in weights.iter() {
        if name.contains("attention.key") || name.contains("attention.value") {
            continue;
        }
        let mut to = renamed.iter().fold(name.to_owned(), |to, (from, by)| to.replace(from, by));
        let mut tensor = tensor.clone();
        if name.contains("attention.query") {
            let parts = ["query", "key", "value"]
                .map(|part| weights.require(&name.replace("query", part)).unwrap().clone());
            tensor = Tensor::cat(&parts, 0).unwrap();
            to = to.replace("attention.attention.query", "attn.qkv");
        }
        meta.insert(to, tensor);
    }
    meta
}

#[test]
fn metas_names_give_the_same_bits() {
    let images = pictures(9, 7);
    let features = |weights: &Archive| {
        vit(weights, &DINOV2).extract(&images).unwrap().features.to_vec2::<f32>().unwrap()
    };
    let expected = features(&dinov2());
    assert_eq!(features(&as_meta_names_them(&dinov2())), expected);
    // As a part of a network with a head.
    let part: Archive =
        dinov2().iter().map(|(name, t)| (format!("dinov2.{name}"), t.clone())).collect();
    assert_eq!(features(&part), expected);
}

#[test]
fn other_weights_are_refused_by_name() {
    let refused = |weights: &Archive, plan: &VitPlan| {
        Vit::from_archive(weights, plan, &Device::Cpu).unwrap_err().to_string()
    };
    let mut registers = dinov2();
    let tokens = Tensor::zeros((1, 4, 24), DType::F32, &Device::Cpu).unwrap();
    registers.insert("embeddings.register_tokens", tokens);
    let error = refused(&registers, &DINOV2);
    assert!(error.contains("no registers") && error.contains("register_tokens"), "{error}");
    let error = refused(&dinov2(), &VitPlan { depth: 3, ..DINOV2 });
    assert!(error.contains("encoder.layer.2."), "{error}");
    let error = refused(&clip(), &VitPlan { side: 336, grid: 24, ..CLIP });
    assert!(error.contains("position_embedding") && error.contains("[50, 32]"), "{error}");
    let error = refused(&clip(), &DINOV2);
    assert!(error.contains("embeddings.position_embeddings"), "{error}");
    let refused = |weights: &Archive, layers: usize| {
        ResNet::from_archive(weights, layers, &Device::Cpu).unwrap_err().to_string()
    };
    assert!(refused(&resnet(56), 20).contains("a deeper network, with layer1.3."));
    assert!(refused(&resnet(20), 56).contains("layer1.3."));
    assert!(refused(&resnet(20), 21).contains("6n + 2"));
}

/// All extractors, with their features and logits of the same images.
fn results(images: &Tensor) -> Vec<(Vec<f32>, Vec<f32>)> {
    let extractors: [Box<dyn FeatureExtractor>; 3] = [
        Box::new(Vit::from_archive(&dinov2(), &DINOV2, &Device::Cpu).unwrap()),
        Box::new(Vit::from_archive(&clip(), &CLIP, &Device::Cpu).unwrap()),
        Box::new(ResNet::from_archive(&resnet(20), 20, &Device::Cpu).unwrap()),
    ];
    let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let result = |extractor: &dyn FeatureExtractor| {
        let found = extractor.extract(images).unwrap();
        (flat(found.features), flat(found.logits))
    };
    extractors.iter().map(|extractor| result(&**extractor)).collect()
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    // More images than run together, so that they are cut into pieces.
    let images =
        Tensor::cat(&[pictures(40, 31), pictures(40, 31), pictures(40, 31), pictures(40, 31)], 0);
    let images = images.unwrap();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| results(&images))
    };
    let one = with(1);
    assert!(one.iter().all(|(features, _)| features.iter().all(|v| v.is_finite())));
    for threads in [2, 3] {
        assert!(one == with(threads), "{threads} threads give other bits than one");
    }
}

#[test]
fn an_image_alone_gives_what_it_gives_in_a_batch() {
    let images = pictures(33, 20);
    let vit = vit(&dinov2(), &DINOV2);
    let together = vit.extract(&images).unwrap().features;
    let (alone, _) = extract_batched(&vit, &images, 1).unwrap();
    let alone = Tensor::from_slice(alone.data(), (3, 24), &Device::Cpu).unwrap();
    assert!(gap(&alone, &together) < 1e-5);
}

#[test]
fn weights_come_from_files_with_their_hash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    dinov2().write_safetensors(&path).unwrap();
    let loaded = Vit::load(&path, &DINOV2, &Device::Cpu).unwrap();
    assert_eq!(loaded.weights_sha256().unwrap().len(), 64);
    // A checkpoint of a network that was trained on several GPUs.
    let checkpoint: Archive = resnet(20)
        .iter()
        .map(|(name, tensor)| (format!("state_dict.module.{name}"), tensor.clone()))
        .collect();
    let path = dir.path().join("checkpoint.pth");
    checkpoint.write_pth(&path).unwrap();
    let hub = autogan_hub::Hub::from_env(true);
    let options = ScorerOptions::new(Some(path), hub);
    let loaded = load_scorer("resnet20-cifar10", &options, &Device::Cpu).unwrap();
    assert_eq!(loaded.weights_sha256().unwrap().len(), 64);
    let direct = ResNet::from_archive(&resnet(20), 20, &Device::Cpu).unwrap();
    let features = |e: &dyn FeatureExtractor| {
        e.extract(&pictures(32, 32)).unwrap().features.to_vec2::<f32>().unwrap()
    };
    assert_eq!(features(&*loaded), features(&direct));
}

/// The share of CIFAR-10's test images that the trained networks get right: what was measured in PyTorch on the files that
/// lie in that folder, within 15 images of 10,000.
#[test]
fn trained_residual_networks_reach_their_accuracy() {
    let Some(dir) = std::env::var_os("AUTOGAN_RESNET_DIR") else { return };
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(dir);
    let records = std::fs::read(dir.join("../cifar10/test_batch.bin")).unwrap();
    let records: Vec<&[u8]> = records.chunks_exact(3073).collect();
    let pixels = records.iter().flat_map(|record| &record[1..]).copied().collect::<Vec<u8>>();
    let images = Tensor::from_vec(pixels, (records.len(), 3, 32, 32), &Device::Cpu).unwrap();
    for (file, layers, measured) in
        [("resnet20-12fca82f.th", 20, 0.8103), ("resnet56-4bfd9763.th", 56, 0.8320)]
    {
        let network = ResNet::load(dir.join(file), layers, &device_or("cpu")).unwrap();
        let (_, logits) = extract_batched(&network, &images, 1000).unwrap();
        let right = records.iter().enumerate().filter(|(i, record)| {
            let row = logits.row(*i);
            row.iter().all(|v| *v <= row[usize::from(record[0])])
        });
        let accuracy = right.count() as f64 / records.len() as f64;
        assert!((accuracy - measured).abs() < 1.5e-3, "{file}: {accuracy}, expected {measured}");
    }
}
