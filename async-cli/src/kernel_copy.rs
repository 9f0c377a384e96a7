//! Copies inside the kernel: no data passes through this process.

use std::fs::File;

use async_core::interruption::again;
use nix::fcntl::copy_file_range;
use nix::sys::sendfile::sendfile;

/// How much to copy at a time, in bytes.
const STRETCH: usize = 1 << 24;

/// Copies from one file's position to the other's, as far as the kernel can: usually everything, to some outputs
/// nothing. Moves both positions past the copied part.
///
/// If something stops the kernel, such as a file opened for appending or a full disk, the caller's ordinary copy goes
/// on from there and meets the same error, if it is one.
pub(crate) fn copy_what_goes(from: &File, to: &File) {
    // Between files, which may then share their blocks; the other call serves everything else, pipes above all.
    repeat(|| copy_file_range(from, None, to, None, STRETCH));
    repeat(|| sendfile(to, from, None, STRETCH));
}

fn repeat(copy: impl Fn() -> nix::Result<usize>) {
    // Some file systems report zero bytes although there are more.
    while again(|| Ok(copy()?)).is_ok_and(|copied| copied > 0) {}
}
