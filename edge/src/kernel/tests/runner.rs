//! Running the program on one thread while another holds the shield.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::kernel::Shield;

/// The program by a file descriptor of its own.
pub(super) struct Runner(OwnedFd);

/// `BPF_PROG_TEST_RUN`'s part of `union bpf_attr`, up to the last field used here.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

impl Runner {
    pub(super) fn new(shield: &mut Shield) -> Runner {
        let fd = shield.program().xdp().fd().unwrap().as_fd();
        Runner(fd.try_clone_to_owned().unwrap())
    }

    /// Runs the program on a frame again and again until told to stop.
    pub(super) fn run_until(&self, frame: &[u8], stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            // More than once in a call, and the kernel first patches its own code for speed, which
            // takes longer than the runs.
            self.run(frame, 1);
        }
    }

    /// Runs the program on a frame so many times, without a pause; the mean time in nanoseconds.
    pub(super) fn run(&self, frame: &[u8], repeat: u32) -> u32 {
        const BPF_PROG_TEST_RUN: i32 = 10;

        let mut attributes = TestRun {
            prog_fd: self.0.as_raw_fd().cast_unsigned(),
            data_size_in: frame.len() as u32,
            data_in: frame.as_ptr() as u64,
            repeat,
            ..TestRun::default()
        };
        // SAFETY: the attributes and the frame they point to outlive the call; no output is asked
        // for.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_PROG_TEST_RUN,
                &raw mut attributes,
                size_of::<TestRun>(),
            )
        };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        attributes.duration
    }
}
