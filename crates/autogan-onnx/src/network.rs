//! This module adds the generator in evaluation mode to a graph: what `autogan-nn` computes (sections 3.1 and 4).
//!
//! As there, the 1x1 convolutions of shortcuts and skips run before nearest and bilinear upsampling, at the small side:
//! both orders are the same function, and this one costs 4 or 16 times less.

use autogan_nn::{GeneratorConfig, PreOrder, SkipTap};
use autogan_space::{Arch, CellArch, Conv, Norm};

use crate::graph::{Graph, Value, resize_attributes};
use crate::{INPUT, OUTPUT, Result};

/// Adds the whole generator.
pub(crate) fn generator(
    graph: &mut Graph<'_>,
    config: &GeneratorConfig,
    arch: &Arch,
) -> Result<()> {
    let h = graph.linear("l1", INPUT)?;
    let mut x = graph.reshape("l1.reshape", &h, [config.width, config.bottom, config.bottom]);
    let mut taps = Vec::new();
    for cell in arch.cells() {
        let name = format!("cell{}", cell.index() + 1);
        let (out, tap) = Cell { name, arch: cell, config }.add(graph, &x, &taps)?;
        taps.push(tap);
        x = out;
    }
    let h = graph.batch_norm("to_rgb.0", &x)?;
    let h = graph.relu("to_rgb.1", &h);
    let h = graph.conv("to_rgb.2", &h, 3)?;
    graph.tanh(OUTPUT, &h);
    Ok(())
}

/// One cell that is being added.
struct Cell<'a> {
    name: String,
    arch: &'a CellArch,
    config: &'a GeneratorConfig,
}

impl Cell<'_> {
    /// The cell's output and what later cells take from it.
    fn add(&self, graph: &mut Graph<'_>, x: &str, taps: &[Value]) -> Result<(Value, Value)> {
        let before_add = self.half(graph, 1, x)?;
        let mut h = before_add.clone();
        for from in self.arch.skips.sources() {
            let skip = self.skip(graph, from, &taps[from])?;
            h = graph.add(&format!("{}.skip_in_ops.{from}.add", self.name), &h, &skip);
        }
        let mut out = self.half(graph, 2, &h)?;
        if self.arch.shortcut {
            let shortcut = self.shortcut(graph, x)?;
            out = graph.add(&format!("{}.c_sc.add", self.name), &out, &shortcut);
        }
        let tap = match self.config.rules.skip_tap {
            SkipTap::BeforeAdd => before_add,
            SkipTap::AfterAdd => h,
        };
        Ok((out, tap))
    }

    /// One of the two halves; the first upsamples.
    fn half(&self, graph: &mut Graph<'_>, number: usize, x: &str) -> Result<Value> {
        let kind = match self.arch.conv {
            Conv::Post => "post",
            Conv::Pre => "pre",
        };
        let name = format!("{}.{kind}_conv{number}", self.name);
        let up = |graph: &mut Graph<'_>, x: &str| match number {
            1 => self.upsample(graph, &name, x),
            _ => Ok(x.to_owned()),
        };
        let conv = format!("{name}.conv");
        match (self.arch.conv, self.config.rules.pre_order) {
            (Conv::Post, _) => {
                let h = up(graph, x)?;
                let h = graph.conv(&conv, &h, 3)?;
                self.normalise(graph, &name, &h)
            }
            (Conv::Pre, PreOrder::NormFirst) => {
                let h = self.normalise(graph, &name, x)?;
                let h = up(graph, &h)?;
                graph.conv(&conv, &h, 3)
            }
            (Conv::Pre, PreOrder::UpsampleFirst) => {
                let h = up(graph, x)?;
                let h = self.normalise(graph, &name, &h)?;
                graph.conv(&conv, &h, 3)
            }
        }
    }

    /// Twice the side, in the half called `name`.
    fn upsample(&self, graph: &mut Graph<'_>, name: &str, x: &str) -> Result<Value> {
        match resize_attributes(self.arch.upsample) {
            Some(attributes) => Ok(graph.resize(&format!("{name}.up"), x, attributes, 2)),
            None => graph.deconv(&format!("{name}.deconv"), x),
        }
    }

    /// Norm and ReLU.
    fn normalise(&self, graph: &mut Graph<'_>, name: &str, x: &str) -> Result<Value> {
        let h = match self.arch.norm {
            Norm::None => x.to_owned(),
            Norm::Batch => graph.batch_norm(&format!("{name}.bn"), x)?,
            Norm::Instance => graph.instance_norm(&format!("{name}.in"), x, self.config.width),
        };
        Ok(graph.relu(&format!("{name}.relu"), &h))
    }

    /// What cell `from` hands on, at this cell's side and through its 1x1 convolution.
    fn skip(&self, graph: &mut Graph<'_>, from: usize, tap: &str) -> Result<Value> {
        let deconvs: &[&str] = match self.arch.skip_factor(from) {
            2 => &["skip_deconvx2"],
            _ => &["skip_deconvx4.0", "skip_deconvx4.1"],
        };
        self.enlarge(graph, &format!("skip_in_ops.{from}"), tap, deconvs)
    }

    /// The cell's input at its output's side, through its 1x1 convolution.
    fn shortcut(&self, graph: &mut Graph<'_>, x: &str) -> Result<Value> {
        self.enlarge(graph, "c_sc", x, &["deconv_sc"])
    }

    /// A 1x1 convolution and as many doublings of the side as there are `deconvs`, which do it where deconvolution is the
    /// cell's upsampling.
    fn enlarge(
        &self,
        graph: &mut Graph<'_>,
        conv: &str,
        x: &str,
        deconvs: &[&str],
    ) -> Result<Value> {
        let conv = format!("{}.{conv}", self.name);
        if let Some(attributes) = resize_attributes(self.arch.upsample) {
            let h = graph.conv(&conv, x, 1)?;
            return Ok(graph.resize(&format!("{conv}.up"), &h, attributes, 1 << deconvs.len()));
        }
        let mut h = x.to_owned();
        for deconv in deconvs {
            h = graph.deconv(&format!("{}.{deconv}", self.name), &h)?;
        }
        graph.conv(&conv, &h, 1)
    }
}
