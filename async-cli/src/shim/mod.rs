//! What only the functions of the shim call, one file for each command.

pub(crate) mod answer;
pub(crate) mod begin_here;
pub(crate) mod call;
pub(crate) mod collect;
pub(crate) mod end_here;
pub(crate) mod end_script;
pub(crate) mod functions;
pub(crate) mod message;
pub(crate) mod rendering;
mod rounds;
pub(crate) mod settle;
pub(crate) mod supervise;
