//! [`Signals`] listens to Ctrl-C and SIGTERM: the first asks a run to stop after its present step, the second Ctrl-C
//! ends it at once.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

/// The signals that have come so far.
pub struct Signals {
    stop: Arc<AtomicBool>,
    which: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens from now on. It fails when the operating system refuses a handler.
    pub fn listen() -> anyhow::Result<Self> {
        let (stop, which) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the shutdown looks at what earlier signals have set.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
            flag::register(signal, Arc::clone(&stop))?;
            flag::register_usize(signal, Arc::clone(&which), signal as usize)?;
        }
        // A write beyond a limit on file sizes is then an error like that of a full disk, not the end of the process.
        flag::register(SIGXFSZ, Arc::default())?;
        Ok(Self { stop, which })
    }

    /// Becomes true when a run should stop.
    pub fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// The exit code for a run that was stopped: 130 after Ctrl-C, 143 after SIGTERM.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(128 + self.which.load(Ordering::Relaxed) as u8)
    }
}
