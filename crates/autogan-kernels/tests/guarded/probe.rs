//! These tests check the tools: that a byte beyond a buffer is found, and that every path is taken.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use autogan_kernels::units::{self, Unit};
use autogan_testing::guard::{Edge, UNWRITTEN, between_pages};
use autogan_testing::paths::{memory_is_plain, on_every_path, paths};

/// The variable that says which mistake the child process makes.
const MISTAKE: &str = "AUTOGAN_KERNEL_MISTAKE";

/// The signal of a fault.
const SIGSEGV: i32 = 11;

/// Each mistake, and whether guard pages find it. Valgrind finds all of them.
const MISTAKES: [(&str, bool); 6] = [
    ("none", false),
    ("read-behind", true),
    ("write-behind", true),
    ("read-before", true),
    ("read-freed", true),
    ("branch-on-unwritten", false),
];

/// Makes the mistake, with a buffer of an odd size.
#[expect(clippy::print_stdout, reason = "what is printed depends on what is read")]
fn make(mistake: &str) {
    let edge = if mistake == "read-before" { Edge::Start } else { Edge::End };
    let run = || {
        let mut buffer = vec![1.0f32; 13];
        let at = buffer.as_mut_ptr();
        let inside = buffer.iter().sum::<f32>();
        let mut unwritten = Vec::<f32>::with_capacity(13);
        let wild = unwritten.as_mut_ptr();
        // SAFETY: none; that is what this is for, in a process that ends here.
        unsafe {
            let read = match mistake {
                "none" => at.read_volatile(),
                "read-behind" => at.cast::<u8>().add(13 * 4).read_volatile().into(),
                "write-behind" => {
                    at.cast::<u8>().add(13 * 4).write_volatile(1);
                    0.0
                }
                "read-before" => at.cast::<u8>().sub(1).read_volatile().into(),
                "read-freed" => {
                    drop(buffer);
                    at.read_volatile()
                }
                "branch-on-unwritten" => wild.read_volatile(),
                other => panic!("{MISTAKE}: there is no mistake {other:?}"),
            };
            // Valgrind looks at what is branched on.
            println!("{}", if read > 0.5 { "more" } else { "less" });
        }
        inside
    };
    let inside = if memory_is_plain() { run() } else { between_pages(edge, run) };
    assert!((inside - 13.0).abs() < f32::EPSILON);
}

/// Runs in a process of its own: without the variable it has nothing to do.
#[test]
fn mistake() {
    if let Ok(mistake) = std::env::var(MISTAKE) {
        make(&mistake);
    }
}

#[test]
fn a_byte_beyond_a_buffer_is_a_fault() {
    if memory_is_plain() {
        // Here valgrind watches, and `cargo xtask kernels` tries the mistakes under it.
        return;
    }
    for (mistake, found) in MISTAKES {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "probe::mistake", "--nocapture"]).env(MISTAKE, mistake);
        let output = child.output().unwrap();
        let expected = if found { Some(SIGSEGV) } else { None };
        assert_eq!(output.status.signal(), expected, "{mistake}: {output:?}");
        assert_eq!(output.status.success(), !found, "{mistake}: {output:?}");
    }
}

#[test]
fn unwritten_memory_is_no_number() {
    let seen = on_every_path("memory", || {
        // SAFETY: any bytes are bytes, and an allocator wrote them where they are guarded.
        let mut room = Vec::<u8>::with_capacity(52);
        (!memory_is_plain()).then(|| unsafe {
            room.as_mut_ptr().cast::<[u8; 52]>().read_volatile().map(|byte| byte == UNWRITTEN)
        })
    });
    for (unit, bytes) in seen {
        assert_eq!(bytes, (!memory_is_plain()).then_some([true; 52]), "{unit}");
    }
    assert!(f32::from_bits(u32::from_ne_bytes([UNWRITTEN; 4])).is_nan());
    assert!(f64::from_bits(u64::from_ne_bytes([UNWRITTEN; 8])).is_nan());
}

/// Its output is a line of the log: which paths this run took, and which it could not.
#[test]
fn all_paths_are_taken() {
    let taken = on_every_path("vector loops", units::lanes);
    let lanes: Vec<String> =
        taken.iter().map(|(unit, lanes)| format!("{unit} ({lanes} at a time)")).collect();
    println!("paths taken: {}", lanes.join(", "));
    let absent: Vec<&str> =
        Unit::ALL.into_iter().filter(|u| !paths().contains(u)).map(Unit::name).collect();
    println!("paths not taken: {}", absent.join(", "));
    assert!(taken.iter().all(|(unit, lanes)| unit.lanes() == *lanes));
    assert_eq!(taken.iter().map(|(unit, _)| *unit).collect::<Vec<_>>(), paths());
    // The last of all is what kernels prefer, where nothing was chosen.
    if std::env::var_os("AUTOGAN_KERNEL_PATHS").is_none() {
        assert_eq!(taken.last().map(|(_, lanes)| *lanes), Some(units::lanes()));
    }
}
