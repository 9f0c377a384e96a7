//! Copies that the kernel makes by itself: nothing of them passes through this process.

use std::fs::File;

use async_core::interruption::again;
use nix::fcntl::copy_file_range;
use nix::sys::sendfile::sendfile;

/// How much is copied at a time, in bytes.
const STRETCH: usize = 1 << 24;

/// Copies from where the one file stands to where the other does, as far as the kernel can: mostly all, to some outputs
/// nothing. Both then stand behind what is copied.
///
/// Whatever stops the kernel, a file that is opened to append or a full disk, is left to the copy that goes on from there:
/// it meets the same if it is an error.
pub(crate) fn copy_what_goes(from: &File, to: &File) {
    // Between files, which may then share their blocks; to all else, pipes above all.
    repeat(|| copy_file_range(from, None, to, None, STRETCH));
    repeat(|| sendfile(to, from, None, STRETCH));
}

fn repeat(copy: impl Fn() -> nix::Result<usize>) {
    // Some file systems say that it was nothing where there is more.
    while again(|| Ok(copy()?)).is_ok_and(|copied| copied > 0) {}
}
