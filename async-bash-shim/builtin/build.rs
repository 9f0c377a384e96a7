//! The library stays where it is when bash unloads it: what it has set up, as the panic hook, may be used later.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo::rerun-if-changed=build.rs");
}
