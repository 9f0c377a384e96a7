complete again say first
async_wait again
make_gate second
start again gated second say second
open_gate second
settle again
async_wait again
