//! [`inspect`] says everything about one architecture: its drawing, notations and costs, and commands to go on with.

use std::path::Path;

use autogan_space::{Arch, SpaceError, derived_generator_breakdown};
use serde::Serialize;

use crate::arch::{ArchView, arch_svg};
use crate::data::Plan;
use crate::shell::{program, quoted};

/// What the inspector shows.
#[derive(Debug, Serialize)]
pub struct Inspection {
    view: ArchView,
    /// Parameters and multiply-accumulates of the layers outside the cells.
    ends: [End; 2],
    /// The drawing, an `<svg>` element.
    svg: String,
    commands: Vec<CommandLine>,
}

/// The first or the last layer.
#[derive(Debug, Serialize)]
struct End {
    name: &'static str,
    params: u64,
    macs: u64,
}

/// A line to be copied into a shell.
#[derive(Debug, Serialize)]
pub struct CommandLine {
    /// What it does.
    pub does: &'static str,
    /// The line.
    pub line: String,
}

/// Looks at the architecture `vector` with the sizes of a run.
///
/// # Errors
/// When it is no architecture of the search space.
pub fn inspect(vector: &str, plan: &Plan, run: &Path) -> Result<Inspection, SpaceError> {
    let arch: Arch = vector.parse()?;
    let drawing = plan.drawing();
    let cost = derived_generator_breakdown(&arch, &drawing.shape);
    let end = |name, cost: autogan_space::Cost| End { name, params: cost.params, macs: cost.macs };
    let (program, run) = (program(), quoted(&run.display().to_string()));
    let command = |does, words: String| CommandLine { does, line: format!("{program} {words}") };
    let sample = format!("sample {run} --arch {arch} -n 64 --out grid.png");
    Ok(Inspection {
        view: ArchView::new(&arch, &drawing),
        ends: [end("linear", cost.stem), end("to rgb", cost.to_rgb)],
        svg: arch_svg(&arch, &drawing),
        commands: vec![
            command("Images from it, with the run's shared weights", sample),
            command("Cells and costs", format!("arch show {arch}")),
            command("The figure as a file", format!("arch show {arch} --svg arch.svg")),
        ],
    })
}

/// The line by which a run that was stopped goes on; `trains` one architecture from scratch, else searches.
pub fn resume(run: &Path, trains: bool) -> CommandLine {
    let command = if trains { "train" } else { "search" };
    let run = quoted(&run.display().to_string());
    let line = format!("{} {command} --resume {run}", program());
    CommandLine { does: "Go on from the last checkpoint", line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cost_what_the_whole_costs() {
        let looked =
            inspect("1 0 1 1 1 0 0 1 1 1 0 1 0 3", &Plan::default(), Path::new("r")).unwrap();
        let cells = looked.view.cells.iter().map(|cell| cell.params);
        let ends = looked.ends.iter().map(|end| end.params);
        assert_eq!(cells.chain(ends).sum::<u64>(), looked.view.params);
        assert_eq!(looked.view.params, 4_405_251);
        assert!(looked.svg.starts_with("<svg"));
        assert!(looked.commands[0].line.starts_with("autogan sample r --arch 1 0 1 1 1"));
        assert!(inspect("9 9", &Plan::default(), Path::new("r")).is_err());
    }
}
