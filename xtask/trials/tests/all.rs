//! A single binary, because each test binary is linked separately.

mod bench;
mod torture;
