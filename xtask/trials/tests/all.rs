//! One binary, as each is linked by itself.

mod bench;
mod torture;
