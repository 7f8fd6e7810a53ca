//! Signals that end a command which has temporary files: SIGINT, SIGTERM and SIGHUP.

/// From now on such a signal removes the temporary files, then ends the process as if nobody had heard it. One that whoever
/// started the command ignores (`nohup`) stays ignored. A command that can end by itself hears signals its own way.
#[cfg(unix)]
pub fn remove_temporaries() {
    use std::sync::Once;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Without a pipe or a thread it is as it was: what is left is found by its name.
        let _ = unix::listen();
    });
}

#[cfg(not(unix))]
pub fn remove_temporaries() {}

#[cfg(unix)]
#[allow(unsafe_code, reason = "handling a signal, and ending by it, are calls of the C library")]
mod unix {
    use std::io::{self, PipeReader, Read};
    use std::os::fd::IntoRawFd;
    use std::sync::atomic::{AtomicI32, Ordering};

    use crate::temporary;

    const ENDING: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
    /// The end of a pipe that the handler writes to.
    static TELL: AtomicI32 = AtomicI32::new(-1);

    extern "C" fn heard(signal: libc::c_int) {
        let number = [signal as u8];
        // SAFETY: `write` may be called in a handler; the byte lives until it returns.
        unsafe { libc::write(TELL.load(Ordering::Relaxed), number.as_ptr().cast(), 1) };
    }

    pub fn listen() -> io::Result<()> {
        let (hear, tell) = io::pipe()?;
        TELL.store(tell.into_raw_fd(), Ordering::Relaxed);
        std::thread::Builder::new().name("openwa-signals".to_owned()).spawn(move || end(hear))?;
        for signal in ENDING {
            // SAFETY: both structures are valid, and all zero is a valid `sigaction`.
            unsafe {
                let mut before: libc::sigaction = std::mem::zeroed();
                if libc::sigaction(signal, std::ptr::null(), &mut before) != 0
                    || before.sa_sigaction == libc::SIG_IGN
                {
                    continue;
                }
                let mut ours: libc::sigaction = std::mem::zeroed();
                ours.sa_sigaction = heard as *const () as usize;
                ours.sa_flags = libc::SA_RESTART;
                libc::sigaction(signal, &ours, std::ptr::null_mut());
            }
        }
        Ok(())
    }

    /// Waits for a signal, and ends the process by it.
    fn end(mut hear: PipeReader) {
        let mut number = [0];
        if hear.read_exact(&mut number).is_err() {
            return;
        }
        let signal = libc::c_int::from(number[0]);
        let _none_is_made = temporary::remove_all();
        // SAFETY: plain calls. The second one does not come back unless the signal is blocked.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
        std::process::exit(128 + signal);
    }
}
