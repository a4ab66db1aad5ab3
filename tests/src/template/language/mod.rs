//! The template's language: nodes, parameters, conditions, intrinsic functions and references to resources.

pub(crate) mod conditions;
pub(crate) mod intrinsics;
pub(crate) mod node;
pub(crate) mod parameters;
pub(crate) mod resolver;
pub(crate) mod resources;
