//! What the stack runs, each as its service reads it.

pub mod bus;
pub mod function;
pub mod queue;
pub mod role;
pub mod table;
