//! A [`Screen`] shows bars with lines above them on stderr, and writes the lines to log.txt; the displays of a search
//! and of a training share it.

use std::fmt;
use std::io::Write;

use autogan_run::LogFile;
use autogan_search::StepLosses;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use serde_json::Value;

use crate::terminal::{Terminal, bar, say};

/// Decay of the losses that are shown, so that they can be read.
const SMOOTH: f64 = 0.95;

/// Bars on a terminal, plain lines or JSON elsewhere, and the plain lines in log.txt.
pub struct Screen<'a> {
    pub terminal: &'a Terminal,
    log: LogFile,
    bars: MultiProgress,
}

impl<'a> Screen<'a> {
    /// A screen without bars; programs and quiet terminals never see one.
    pub fn new(terminal: &'a Terminal, log: LogFile) -> Self {
        let bars = MultiProgress::new();
        if terminal.quiet || terminal.is_json() {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { terminal, log, bars }
    }

    /// A bar below the others.
    pub fn bar(&self, prefix: &'static str, template: &str) -> ProgressBar {
        self.bars.add(bar(1, template, false).with_prefix(prefix))
    }

    /// Shows a line to the reader, and writes it to the log.
    pub fn line(&mut self, text: &str) {
        self.log(text);
        // Programs get the events themselves.
        if !self.terminal.is_json() {
            self.show(text);
        }
    }

    /// Shows a line to the reader alone.
    pub fn show(&self, text: &str) {
        if self.terminal.quiet {
            return;
        }
        if self.bars.is_hidden() {
            say(text);
        } else {
            let _ = self.bars.println(text);
        }
    }

    /// Shows a warning, also on a quiet terminal.
    pub fn warn(&mut self, text: &str) {
        self.log(&format!("warning: {text}"));
        self.bars.suspend(|| self.terminal.warn(text));
    }

    /// Writes an event for a program.
    pub fn tell(&self, object: &Value) {
        if !self.terminal.quiet {
            say(&object.to_string());
        }
    }

    /// Whether programs are not told the losses of this step: they get about `points` of the many, with `-vv` all.
    pub fn is_thinned(&self, losses: &StepLosses, points: u64) -> bool {
        self.terminal.verbose < 2 && !losses.step.is_multiple_of((losses.steps / points).max(1))
    }

    /// Takes the bars away.
    pub fn clear(&self) {
        let _ = self.bars.clear();
    }

    fn log(&mut self, text: &str) {
        // A full disk shows up where results are written; the view goes on.
        let _ = writeln!(self.log, "{text}");
    }
}

/// Moving averages of the losses, which can be read.
#[derive(Default)]
pub struct MeanLosses {
    d: Option<f64>,
    g: Option<f64>,
}

impl MeanLosses {
    /// Adds the losses of a step.
    pub fn add(&mut self, losses: &StepLosses) {
        let smooth = |old: Option<f64>, new: f64| {
            Some(old.map_or(new, |old| SMOOTH * old + (1.0 - SMOOTH) * new))
        };
        self.d = smooth(self.d, losses.d_loss);
        if let Some(loss) = losses.g_loss {
            self.g = smooth(self.g, loss);
        }
    }
}

impl fmt::Display for MeanLosses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "D {:.3} G {:+.3}", self.d.unwrap_or(0.0), self.g.unwrap_or(0.0))
    }
}
